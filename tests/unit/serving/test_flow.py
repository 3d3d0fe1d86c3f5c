"""Slow readers and readers that leave: back-pressure that is felt, and KV that comes back."""

import socket
import struct
import time
from random import Random

import pytest

from constraintlab.engine.setup import Setup
from constraintlab.serving import guard
from constraintlab.serving.outbox import Limits

from .conftest import events, read_all, serving, texts, wait_for

WORD = " babab"
PACED = Setup(model="stub@100", blocks=4096, slots=64, tokens=512)
LIMITS = Limits(pause=500, most=1 << 20, patience=30.0)


@pytest.fixture
def narrow():
    """A server whose sockets hold little, with an engine that takes no time."""
    with serving(slow=LIMITS, send_buffer=2048) as found:
        yield found


def body_of(data):
    """A chunked response's body."""
    rest, body = data.split(b"\r\n\r\n", 1)[1], b""
    while rest:
        size, rest = rest.split(b"\r\n", 1)
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return body


def stalled(server, n=6_000, **more):
    """A stream whose reader stops, once the server has paused its request."""
    link = server.open(prompt=WORD, max_tokens=n, buffer=2048, **more)
    front = server.front
    assert wait_for(lambda: any(s.outbox.held for s in list(front.slow)))
    return link, next(iter(front.slow))


def test_a_stalled_reader_is_coalesced_then_paused_and_costs_no_more_memory(narrow):
    link, stream = stalled(narrow)
    assert narrow.metric('constraintlab:streams_slow{state="paused"}') == 1
    # The engine may be ahead by what the pipe between holds.
    assert wait_for(lambda: narrow.front.engine_now()[0] == 1)
    time.sleep(0.1)
    size, tokens = stream.outbox.size, stream.tokens
    time.sleep(0.2)
    assert (stream.outbox.size, stream.tokens) == (size, tokens), "it went on"
    assert 500 < size < 100_000 and tokens < 6_000
    assert narrow.front.engine_now()[2][1] > 0, "a paused request keeps its KV"
    assert narrow.metric("constraintlab:send_queue_bytes_max") >= size
    link.close()


def test_a_reader_that_comes_back_gets_everything_in_fewer_events(narrow):
    link, _ = stalled(narrow)
    data = b""
    while not data.endswith(b"\r\n0\r\n\r\n"):
        data += link.recv(1 << 20)
    link.close()
    found = events(body_of(data))
    assert "".join(texts(found)) == WORD * 6_000
    assert found[-1]["choices"][0]["finish_reason"] == "length" and len(found) < 6_000
    assert not narrow.front.slow
    assert narrow.metric('constraintlab:streams_ended_total{reason="finished"}') == 1


def test_a_reader_that_takes_nothing_for_too_long_is_told_and_cut_off():
    limits = Limits(pause=500, most=1 << 20, patience=0.3)
    with serving(slow=limits, send_buffer=2048) as server:
        link, stream = stalled(server)
        assert wait_for(lambda: stream.reason == "slow")
        assert wait_for(lambda: server.front.engine_now()[2][1] == 0)
        assert events(body_of(read_all(link)))[-1]["error"]["code"] == "slow"
        assert server.metric('constraintlab:streams_ended_total{reason="slow"}') == 1
        assert not server.front.slow and not server.front.streams


def test_a_reader_that_never_reads_again_is_gone_all_the_same(monkeypatch):
    monkeypatch.setattr(guard, "LAST_WORDS", 0.2)
    limits = Limits(pause=500, most=1 << 20, patience=0.2)
    with serving(slow=limits, send_buffer=2048) as server:
        link, _ = stalled(server)
        assert wait_for(lambda: not server.front.streams)
        connections = server.serving.server_state.connections
        assert wait_for(lambda: not connections), "the connection lingers"
        link.close()


def test_one_that_finished_but_is_not_read_is_cut_off_too(monkeypatch):
    monkeypatch.setattr(guard, "LAST_WORDS", 0.2)
    limits = Limits(pause=100_000, most=1 << 20, patience=0.3)
    with serving(slow=limits, send_buffer=2048) as server:
        link = server.open(prompt=WORD, max_tokens=300, buffer=2048)
        assert wait_for(lambda: server.front.slow)
        assert wait_for(lambda: not server.front.sinks)
        assert wait_for(lambda: not server.front.streams)
        link.close()


def test_others_stream_on_beside_a_stalled_reader():
    setup = Setup(model="stub@200", blocks=4096, slots=64, tokens=512)
    with serving(setup, slow=Limits(pause=50, patience=30.0), send_buffer=2048) as server:
        idle = server.open(prompt=WORD, max_tokens=5000, buffer=2048)
        assert wait_for(lambda: server.front.slow)
        began = time.monotonic()
        server.stream(prompt=WORD, max_tokens=40)
        assert time.monotonic() - began < 0.2 * 3
        idle.close()


def test_a_disconnect_frees_its_kv_within_two_steps():
    setup = Setup(model="stub@20", blocks=100, slots=8, tokens=64)
    with serving(setup) as server:
        front = server.front
        other, link = (server.open(prompt=WORD, max_tokens=1000) for _ in "ab")
        assert wait_for(lambda: front.engine_now()[0] == 2)
        for one in (link,):
            steps = front.counts.step_tokens.count
            one.close()
            assert wait_for(lambda: front.engine_now()[0] == 1)
            assert front.counts.step_tokens.count - steps <= 2
        other.close()


def test_who_does_not_stream_and_leaves_is_cancelled_too():
    with serving(PACED) as server:
        link = server.open(prompt=WORD, max_tokens=5000, stream=False)
        assert wait_for(lambda: server.front.engine_now()[0] == 1)
        link.close()
        assert wait_for(lambda: server.front.engine_now()[0] == 0)
        assert not server.front.sinks and server.front.gate.open == 0


def test_after_500_random_disconnects_every_block_is_back():
    random = Random(5)
    setup = Setup(model="stub@2000", blocks=300, slots=32, tokens=512, kv="prefix")
    with serving(setup, queue=100) as server:
        front, links, done = server.front, [], 0
        while done < 500:
            if len(links) < 60 and random.random() < 0.6:
                n, streams = random.choice([1, 5, 50, 500]), random.random() < 0.8
                prompt = WORD * random.randint(1, 60)
                link = server.open(prompt=prompt, max_tokens=n, stream=streams)
                links.append((link, streams))
            elif links:
                link, streams = links.pop(random.randrange(len(links)))
                if streams and random.random() < 0.3:
                    link.recv(random.choice([1, 100, 10_000]))
                if random.random() < 0.3:
                    # A reset instead of a farewell.
                    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                link.close()
                done += 1
        for link, _ in links:
            link.close()
        assert wait_for(lambda: not front.streams and not front.sinks and front.gate.open == 0)
        assert wait_for(lambda: front.engine_now() == (0, 0, (4800, 0, 0)))
        assert not front.slow
        assert server.post(prompt=WORD, max_tokens=3)["choices"][0]["text"] == WORD * 3
