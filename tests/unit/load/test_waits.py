"""What a request waited for, as its server says and as its client saw."""

import asyncio
from dataclasses import replace

import pytest

from constraintlab.engine.setup import Setup
from constraintlab.load.arrivals import Uniform
from constraintlab.load.ask import Ask
from constraintlab.load.client import Client
from constraintlab.load.profiles import Lengths, Profile
from constraintlab.load.tail import Seen, Tail
from constraintlab.load.target import Target
from constraintlab.load.waits import STREAM, waits
from constraintlab.load.workload import Workload
from constraintlab.serving.launch import Server
from constraintlab.serving.link import Link
from tests.unit.load.scripted import DONE, serving, stream, token, usage


def test_what_the_server_leaves_of_the_clients_time_is_the_stream():
    assert waits({"slots": 1500, "decode": 250.0}, 2.0) == {
        "slots": 1.5, "decode": 0.25, STREAM: 0.25,
    }  # fmt: skip


def test_a_server_that_says_more_than_the_client_saw_leaves_nothing():
    assert waits({"slots": 1500.0}, 1.4) == {"slots": 1.5}


LLAMA = {"prompt_n": 1, "prompt_ms": 30.9, "predicted_n": 35, "predicted_per_second": 52.9}
"""Of llama.cpp's server."""


@pytest.mark.parametrize("said", [None, {}, [], "fast", LLAMA, {"slots": None}, {"slots": -1.0},
                                  {"slots": True}, {"slots": 1.0, "gremlins": 2.0}])  # fmt: skip
def test_what_is_no_account_is_none(said):
    assert waits(said, 2.0) == {}


def test_without_a_first_token_there_is_nothing_to_account_for():
    assert waits({"slots": 1.0}, None) == {}


def asked(*pieces):
    """The record of a request whose stream has these pieces."""

    async def handler(request):
        await request.read()
        return await stream(request, pieces)

    async def main():
        async with serving(handler) as url:
            found = []
            await Client(Target(url, "tiny"), found.append).run([Ask(0, 0.0, "a", 2, 1)])
            return found[0]

    return asyncio.run(main())


def test_a_record_has_what_the_last_chunk_says():
    said = {"timings": {"prompt": 20.0, "decode": 30.0}, "timings_to_first_token": {"prompt": 20.0}}
    record = asked(0.1, token("a"), 0.1, token("b"), usage(1, 2, **said), DONE)
    assert record.ok and record.waited["decode"] == 0.03
    assert sum(record.waited.values()) == pytest.approx(record.e2e)
    assert record.waited_first == {"prompt": 0.02, STREAM: pytest.approx(record.ttft - 0.02)}


@pytest.mark.parametrize("more", [{}, {"timings": LLAMA}, {"timings": 7}])
def test_a_server_that_says_nothing_of_it_leaves_a_record_without(more):
    record = asked(token("a"), token("b"), usage(1, 2, **more), DONE)
    assert record.ok and record.waited == record.waited_first == {}


SETUP = Setup(model="stub@1000", blocks=512, slots=8, tokens=256)
SAME = Profile("same", Lengths.exactly(8), Lengths.exactly(60))


def run(url, n=12, rate=200.0):
    """Records of requests that come much faster than the stub has answered one."""

    async def main():
        found = []
        await Client(Target(url, SETUP.model), found.append).run(
            Workload(Uniform(rate), SAME, limit=n).asks()
        )
        return sorted(found, key=lambda r: r.index)

    return asyncio.run(main())


@pytest.mark.long
def test_on_a_server_with_one_slot_those_who_queue_wait_for_it():
    with Server(replace(SETUP, slots=1)) as server:
        records = run(server.url)
    assert all(r.ok for r in records)
    for r in records:
        assert sum(r.waited.values()) == pytest.approx(r.e2e)
        assert sum(r.waited_first.values()) == pytest.approx(r.ttft)
        assert r.waited["decode"] >= 0.05, "59 steps of a millisecond"
    assert all(max(r.waited, key=r.waited.get) == "slots" for r in records[3:])
    for by in ("ttft", "e2e"):
        tail = Tail.of([Seen.of_record(r) for r in records], by)
        assert tail.largest == "slots" and tail.explained == 3
        assert "waiting for a slot" in tail.text


@pytest.mark.long
def test_behind_a_slow_link_the_way_to_the_reader_is_what_is_waited_for():
    """60 events of some 200 bytes take a second at 12 kB/s, and the engine 60 ms."""
    with Server(SETUP) as server, Link(server.url, rate=12_000.0, shared=False) as link:
        records = run(link.url, 4, 50.0)
    for r in records:
        assert r.ok and sum(r.waited.values()) == pytest.approx(r.e2e)
        assert max(r.waited, key=r.waited.get) == STREAM
    tail = Tail.of([Seen.of_record(r) for r in records])
    assert tail.largest == STREAM and "on their way to the reader" in tail.text
