"""The tiers on a real Ray: answers, replicas that come, and replicas that are killed.

RAY_ADDRESS=auto runs them on a Ray that is there already. In this file's order: each test has the
replicas that the one before left.
"""

import http.client
import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request

import pytest

from constraintlab.engine.reasoner import collatz
from constraintlab.engine.request import Request, Sampling
from constraintlab.engine.setup import Setup, build

pytestmark = pytest.mark.timeout(900)

SETUP = Setup(threads=1, blocks=1024, slots=16, words=True)
STEP = 5.0
"""Milliseconds of a simulated step: a thousand tokens take five seconds, time to kill somebody."""

PATIENCE = 240
"""Seconds after which a client that heard nothing hangs."""


@pytest.fixture(scope="module")
def cluster(ray):
    from constraintlab.cluster.layout import Layout
    from constraintlab.cluster.local import Cluster
    from constraintlab.serving.options import Options

    layout = Layout(setup=SETUP, options=Options(port=0), simulated_ms=STEP)
    with Cluster(layout) as running:
        yield running


def soon(condition, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.2)
    return condition()


class Client(threading.Thread):
    """One streamed request, greedy; `text` so far, and how it ended."""

    def __init__(self, cluster, n, most=1600):
        super().__init__(daemon=True)
        self.n, self.text, self.finished, self.error, self.done = n, "", None, None, False
        self.model, self.hanged, self._most, self._url = "", False, most, cluster.url
        self.leave = False
        self.start()

    def run(self):
        body = {"prompt": collatz.prompt(self.n), "max_tokens": self._most, "temperature": 0,
                "stream": True}  # fmt: skip
        try:
            with ask(self._url, body) as reply:
                # Not by lines: they end where the connection does. `read1` knows a cut from an end.
                data = b""
                while (got := reply.read1(1 << 16)) and not self.leave:
                    *events, data = (data + got).split(b"\n\n")
                    for event in events:
                        self._event(event.removeprefix(b"data: "))
        except TimeoutError:
            self.hanged = True
        except urllib.error.HTTPError as error:
            self.error = error.read().decode()
        except (OSError, http.client.HTTPException) as error:
            self.error = f"{type(error).__name__}: {error}"

    def _event(self, data):
        if data == b"[DONE]":
            self.done = True
            return
        event = json.loads(data)
        if "error" in event:
            self.error = event["error"]["message"]
            return
        self.model = event["model"]
        for choice in event["choices"]:
            self.text += choice["text"]
            self.finished = choice["finish_reason"] or self.finished

    @property
    def right(self):
        return self.done and bool(collatz.verify(collatz.prompt(self.n), self.text + ";"))

    def end(self):
        self.join(PATIENCE + 30)
        assert not self.is_alive() and not self.hanged, f"the client of {self.n} hangs"
        return self


def ask(url, body):
    request = urllib.request.Request(f"{url}/v1/completions", json.dumps(body).encode())
    return urllib.request.urlopen(request, timeout=PATIENCE)


def pids(cluster, tier):
    return {r["pid"] for r in cluster.look(tier)}


def alone(starts, most):
    """What one process says."""
    engine = build(SETUP)
    requests = [
        Request(i, collatz.tokens(collatz.prompt(n)), Sampling(most, stop_tokens=(collatz.END,)))
        for i, n in enumerate(starts)
    ]
    for request in requests:
        engine.submit(request)
    while engine.busy:
        engine.step()
    return [collatz.text(r.output).removesuffix(";") for r in requests]


def long_chains(n):
    """Starts whose answers take a thousand tokens and more."""
    return [s for s, length in collatz.starts().items() if 950 < length < 1300][:n]


def test_answers_are_the_single_process_s_and_say_that_time_is_simulated(cluster):
    starts = [6, 27, 97, 871, 6171, 9_999]
    clients = [Client(cluster, n, most=300) for n in starts]
    assert [c.end().text for c in clients] == alone(starts, 300)
    assert all(c.done and c.finished in ("stop", "length") for c in clients)
    assert {c.model for c in clients} == {"reasoner-simulated-5ms"}


def test_a_tier_grows_by_itself_and_both_of_its_replicas_work(cluster):
    before = {t: pids(cluster, t) for t in ("gateway", "prefill", "decode")}
    cluster.scale(decode=2)
    assert soon(lambda: len(cluster.look("decode")) == 2)
    assert before["decode"] < pids(cluster, "decode")
    assert [pids(cluster, t) == before[t] for t in ("gateway", "prefill")] == [True, True]
    taken = {r["pid"]: r["taken"] for r in cluster.look("decode")}
    starts = long_chains(12)
    clients = [Client(cluster, n, most=200) for n in starts]
    assert [c.end().text for c in clients] == alone(starts, 200)
    assert all(r["taken"] > taken[r["pid"]] for r in cluster.look("decode"))


def test_a_request_that_can_t_run_is_told_so(cluster):
    for body, status in (
        ({"prompt": "?72000000>", "max_tokens": 100_000}, 400),
        ({"prompt": "hello"}, 400),
        ({"prompt": "?72000000>", "model": "other"}, 404),
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(cluster.url, body)
        assert refused.value.code == status and "message" in refused.value.read().decode()


def test_a_client_that_leaves_gives_its_room_back(cluster):
    client = Client(cluster, long_chains(1)[0])
    assert soon(lambda: client.text)
    assert sum(r["running"] for r in cluster.look("decode")) == 1
    client.leave = True
    client.end()
    assert soon(lambda: sum(r["kv_reserved"] for r in cluster.look("decode")) == 0, 30)


@pytest.mark.parametrize("tier", ["decode", "prefill", "gateway"])
def test_a_killed_replica_loses_no_request_without_an_error(cluster, tier):
    clients = [Client(cluster, n) for n in long_chains(8)]
    assert soon(lambda: all(c.text or c.error for c in clients))
    assert not any(c.error or c.done for c in clients)
    victim = cluster.look(tier)[0]
    os.kill(int(victim["pid"]), signal.SIGKILL)
    late = Client(cluster, 6)
    for client in (*clients, late):
        client.end()
        assert client.right or client.error, (client.n, client.text[-20:], client.finished)
        assert not (client.done and client.error)
    if tier == "gateway":
        # Its connections are cut in mid-answer, which HTTP tells from an end.
        assert all("IncompleteRead" in c.error for c in clients)
    else:
        # They were begun again where the others run, from the token that they had.
        assert [c.error for c in clients] == [None] * len(clients)
    assert soon(lambda: Client(cluster, 6).end().right), "and nobody took its place"
