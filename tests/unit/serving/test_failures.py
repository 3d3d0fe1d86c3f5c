"""What is broken from outside and from inside: bad requests, a dead engine, a shutdown."""

import http.client
import json
import os
import signal
import socket
import threading
import time
from random import Random

import pytest

from constraintlab.bench import abuse
from constraintlab.engine.setup import Setup

from .conftest import read_all, serving, wait_for

WORD = " babab"
PACED = Setup(model="stub@200", blocks=4096, slots=64, tokens=512)


def raw(server, data):
    """The status that bytes get, and whether the connection is closed after it."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as link:
        try:
            link.sendall(data)
            reply = read_all(link)
        except ConnectionResetError:
            return None
    return int(reply.split()[1]) if reply else None


class Beside:
    """A stream that runs while something else is done, and must not suffer."""

    def __init__(self, server, n=60):
        self._run = lambda: self.found.extend(server.stream(prompt=WORD, max_tokens=n))
        self.found, self.n = [], n
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._thread.join(30)
        assert "".join(e["choices"][0]["text"] for e in self.found) == WORD * self.n


def test_a_killed_engine_ends_each_stream_with_an_error_and_another_takes_its_place():
    with serving(PACED) as server:
        links = [server.open(prompt=WORD, max_tokens=5000) for _ in range(5)]
        whole = server.open(prompt=WORD, max_tokens=5000, stream=False)
        assert wait_for(lambda: server.front.engine_now()[0] == 6)
        served = server.metric("vllm:generation_tokens_total")
        first = server.front.backend.pid
        os.kill(first, signal.SIGKILL)
        for link in links:
            data = b""
            while not data.endswith(b"\r\n0\r\n\r\n"):
                data += link.recv(1 << 16)
            error = json.loads(data.split(b"data: ")[-1].split(b"\n\n")[0])["error"]
            assert error["code"] == "engine" and "signal 9" in error["message"]
            assert b"[DONE]" not in data
        assert whole.recv(1 << 16).startswith(b"HTTP/1.1 503")
        assert wait_for(lambda: server.front.backend.state == "ready")
        assert server.front.backend.pid != first
        assert server.post(prompt=WORD, max_tokens=2)["usage"]["completion_tokens"] == 2
        assert server.get("/health")["status"] == "ok"
        assert server.metric('constraintlab:streams_ended_total{reason="engine"}') == 5
        assert server.metric("vllm:generation_tokens_total") > served
        assert server.front.gate.open == 0
        for link in (*links, whole):
            link.close()


def test_one_request_may_lose_its_engine_while_another_goes_on():
    with serving(PACED) as server:
        lost = server.open(prompt=WORD, max_tokens=4000)
        assert wait_for(lambda: server.front.engine_now()[0] == 1)
        (number,) = server.front.sinks
        with Beside(server):
            loop = server.front._looking.get_loop()
            loop.call_soon_threadsafe(server.front.on_lost, number, "its replica is gone")
            data = b""
            while not data.endswith(b"\r\n0\r\n\r\n"):
                data += lost.recv(1 << 16)
        error = json.loads(data.split(b"data: ")[-1].split(b"\n\n")[0])["error"]
        assert (error["code"], error["message"]) == ("engine", "its replica is gone")
        assert b"[DONE]" not in data and wait_for(lambda: server.front.gate.open == 0)
        lost.close()


def test_an_engine_that_dies_too_often_is_not_started_again_and_the_server_says_so():
    with serving(PACED, restarts=1) as server:
        for _ in range(2):
            pid = server.front.backend.pid
            os.kill(pid, signal.SIGKILL)
            assert wait_for(lambda pid=pid: server.front.backend.pid != pid
                            or server.front.backend.state == "dead")  # fmt: skip
            assert wait_for(lambda: server.front.backend.state in ("ready", "dead"))
        status, _, body = server.ask("/health")
        assert status == 503 and json.loads(body)["status"] == "dead"
        status, error = server.error("/v1/completions", {"prompt": "a"})
        assert status == 503 and "signal 9" in error["message"] and error["code"] == "engine"
        assert server.ask("/metrics")[0] == 200


def test_while_the_engine_restarts_requests_are_told_to_come_back():
    with serving(PACED) as server:
        server.front.backend.state = "restarting"
        status, headers, _ = server.ask("/v1/completions", {"prompt": "a"})
        assert status == 503 and headers["retry-after"] == "1"
        assert server.ask("/health")[0] == 503
        server.front.backend.state = "ready"


def test_a_server_whose_engine_can_not_be_built_does_not_start():
    with pytest.raises(ValueError, match="there is no model 'nope'"), serving(Setup(model="nope")):
        pass


def test_a_shutdown_lets_streams_end_and_then_ends_them_with_an_error():
    with serving(PACED, grace=0.4) as server:
        short = server.open(prompt=WORD, max_tokens=20)
        long = server.open(prompt=WORD, max_tokens=5000)
        idle = http.client.HTTPConnection("127.0.0.1", server.port)
        idle.connect()
        assert wait_for(lambda: server.front.engine_now()[0] == 2)
        server.stop()
        assert wait_for(lambda: server.front.draining)
        got = read_all(short)
        assert b"[DONE]" in got and b"error" not in got
        assert b'"code": "shutdown"' in read_all(long)
        assert wait_for(lambda: server.front.backend.state == "closed")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port))
        idle.close()


def test_a_server_that_shuts_down_takes_no_new_requests():
    with serving(PACED) as server:
        server.front.draining = True
        assert server.error("/v1/completions", {"prompt": "a"})[1]["code"] == "shutdown"
        assert server.ask("/health")[0] == 503


def test_a_head_that_comes_too_slowly_is_408_and_streams_beside_it_are_unharmed():
    with serving(PACED, head_seconds=0.3, body_seconds=0.3) as server, Beside(server):
        links = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(40)]
        for i, link in enumerate(links[1:]):
            link.sendall([b"P", b"GET /health HTTP/1.1\r\nx: ", b"\r\n"][i % 3])
        began = time.monotonic()
        while time.monotonic() - began < 0.2:
            for link in links[2::3]:
                link.sendall(b"y")
            time.sleep(0.02)
        replies = [read_all(link) for link in links]
        assert all(r.startswith(b"HTTP/1.1 408 ") for r in replies)
        error = json.loads(replies[0].split(b"\r\n\r\n")[1])["error"]
        assert "did not arrive within 0.3 s" in error["message"]
        assert time.monotonic() - began < 2
        for link in links:
            link.close()


def test_a_body_that_comes_too_slowly_is_408():
    with serving(PACED, body_seconds=0.2) as server:
        began = time.monotonic()
        data = b"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{"
        assert raw(server, data) == 408 and time.monotonic() - began < 2


@pytest.mark.parametrize(
    "head",
    [
        b"x: " + b"y" * 40_000 + b"\r\n\r\n",
        b"".join(b"x%d: y\r\n" % i for i in range(8000)) + b"\r\n",
        b"x: " + b"y" * 3_000_000,
    ],
    ids=["long", "many", "endless"],
)
def test_a_head_that_is_too_long_is_431(head):
    with serving(PACED) as server, Beside(server, 20):
        assert raw(server, b"GET /health HTTP/1.1\r\nhost: x\r\n" + head) in (431, None)
        assert raw(server, b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n") == 431
        # Just within: it is read.
        fine = b"GET /health HTTP/1.1\r\nconnection: close\r\nx: " + b"y" * 30_000 + b"\r\n\r\n"
        assert raw(server, fine) == 200


def test_a_connection_may_ask_again_and_again_within_the_limits_of_each_head():
    with serving(PACED, head=600) as server:
        link = http.client.HTTPConnection("127.0.0.1", server.port)
        for _ in range(20):
            link.request("GET", "/health", headers={"x": "y" * 300})
            reply = link.getresponse()
            assert reply.status == 200 and reply.read()
        link.close()


def test_bytes_that_are_no_http_are_400_in_our_shape():
    random = Random(1)
    with serving(PACED) as server, Beside(server):
        for i in range(100):
            junk = random.randbytes(random.choice([10, 100, 3000])) + b"\r\n\r\n"
            start = [b"", b"GET / HTTP/1.1\r\n", b"POST /v1/completions HTTP/9\r\n"][i % 3]
            assert raw(server, start + junk) in (400, 431, None)
        with socket.create_connection(("127.0.0.1", server.port)) as link:
            link.sendall(b"nonsense\r\n\r\n")
            reply = read_all(link)
        assert json.loads(reply.split(b"\r\n\r\n")[1])["error"]["type"] == "invalid_request_error"


def test_malformed_bodies_by_the_hundreds_are_4xx_and_the_streams_are_unharmed():
    random = Random(2)
    with serving(PACED) as server, Beside(server, 200):
        link = http.client.HTTPConnection("127.0.0.1", server.port)
        for _ in range(600):
            path = random.choice(["/v1/completions", "/v1/chat/completions"])
            body = abuse.malformed(random)
            link.request("POST", path, body)
            reply = link.getresponse()
            data = reply.read()
            assert reply.status == 400, (body, data)
            assert json.loads(data)["error"]["message"]
        link.close()
        assert server.metric('constraintlab:requests_rejected_total{reason="invalid"}') == 600
