"""The open-loop client against a scripted server: every trouble is a record, none ends the run."""

import asyncio
import socket
import time
from itertools import pairwise

import pytest
from aiohttp import web

from constraintlab.load.ask import Ask
from constraintlab.load.client import Client
from constraintlab.load.target import Target
from tests.unit.load.scripted import DONE, event, serving, stream, token, tokens, usage


def asks(n, every=0.01, output=4, **more):
    return [Ask(i, i * every, f"{i}", output, 1, **more) for i in range(n)]


def run(handler, what, control=None, **target):
    """(records by index, client) of a run; control: awaited with the client while it goes on."""

    async def main():
        async with serving(handler) as url:
            records = []
            client = Client(Target(url, "tiny", **target), records.append)
            beside = asyncio.create_task(control(client)) if control else None
            async with asyncio.timeout(20):
                await client.run(what)
                if beside:
                    await beside
            return {r.index: r for r in records}, client

    return asyncio.run(main())


def script(*pieces):
    async def handler(request):
        await request.read()
        return await stream(request, pieces)

    return handler


def test_a_run_measures_what_the_server_was_told_to_do():
    records, client = run(script(0.1, *tokens(5, gap=0.05)), asks(4, 0.02))
    assert sorted(records) == [0, 1, 2, 3] and all(r.ok for r in records.values())
    for r in records.values():
        assert 0.1 <= r.ttft <= 0.15
        assert r.gaps == pytest.approx([0.05] * 4, abs=0.02)
        assert (r.output_tokens, r.prompt_tokens) == (5, 5)
        assert r.delay < 0.02
    assert client.counters().ok == 4 and client.counters().tokens == 20


def test_the_bytes_are_those_on_the_wire():
    pieces = [token("a"), token("b"), usage(1, 2), DONE]
    records, _ = run(script(*(x for p in pieces for x in (p, 0.01))), asks(1))
    framed = sum(len(p) + len(f"{len(p):x}") + 4 for p in pieces)
    assert records[0].received == framed
    assert list(records[0].events.sizes) == [len(p) for p in pieces]


def test_the_loop_is_open_whatever_the_server_does():
    async def never(request):
        await asyncio.sleep(60)

    records, _ = run(never, asks(20, 0.01), timeout=0.5)
    assert [r.status for r in records.values()] == ["timeout"] * 20
    assert all(records[i].sent >= i / 100 for i in range(20))
    assert max(r.sent for r in records.values()) < min(r.last for r in records.values())


async def refuse(status, **more):
    return web.json_response({"error": {"message": "no room"}}, status=status, **more)


TROUBLES = {
    "429": (lambda r: refuse(429), "rejected", "429 Too Many Requests: no room"),
    "500": (lambda r: refuse(500), "error", "500 Internal Server Error: no room"),
    "503": (lambda r: refuse(503), "error", "503"),
    "json": (lambda r: refuse(200), "error", "no stream of events but application/json"),
    "malformed": (script(token("a"), b"data: {oops\n\n", token("b"), DONE), "error", "malformed"),
    "error": (script(token("a"), event({"error": {"message": "engine died"}})), "error",
              "error event: engine died"),
    "short": (script(token("a"), token("b")), "cut", "the stream ended before [DONE]"),
    "in-mid-event": (script(token("a"), b'data: {"choi'), "cut", "the stream ended before"),
}  # fmt: skip


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_trouble_is_a_status_with_a_reason_and_the_run_goes_on(trouble):
    handler, status, said = TROUBLES[trouble]
    good = script(*tokens(3))
    calls = []

    async def sometimes(request):
        calls.append(1)
        return await (handler(request) if len(calls) == 1 else good(request))

    records, _ = run(sometimes, asks(3, 0.05))
    assert records[0].status == status and records[0].error.startswith(said)
    assert records[1].ok and records[2].ok


def test_a_cut_connection_keeps_what_had_come():
    async def cut(request):
        await request.read()
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(token("a") + token("b"))
        await asyncio.sleep(0.02)
        request.transport.abort()
        return answer

    records, _ = run(cut, asks(2))
    for r in records.values():
        assert r.status == "cut" and r.error.startswith("connection cut")
        assert (r.output_tokens, r.counted) == (2, False)


def test_nobody_there_is_an_error_of_each_request():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    async def main():
        records = []
        await Client(Target(f"http://127.0.0.1:{port}", "m"), records.append).run(asks(2))
        return records

    records = asyncio.run(main())
    assert [r.status for r in records] == ["error", "error"]
    assert all(r.error.startswith("no connection") for r in records)


@pytest.mark.parametrize(("retries", "status"), [(0, "rejected"), (1, "ok")])
def test_a_429_is_tried_again_only_if_asked(retries, status):
    calls = []

    async def full_at_first(request):
        calls.append(1)
        if len(calls) == 1:
            return await refuse(429, headers={"Retry-After": "0"})
        return await stream(request, tokens(2))

    records, _ = run(full_at_first, asks(1), retries=retries)
    assert records[0].status == status and len(calls) == 1 + retries


def test_hanging_up_after_n_tokens_is_felt_by_the_server():
    gone = []

    async def endless(request):
        try:
            return await stream(request, tokens(1000, gap=0.005))
        except (asyncio.CancelledError, ConnectionResetError):
            gone.append(time.monotonic())
            raise

    records, _ = run(endless, asks(1), cancel_after=5)
    r = records[0]
    assert (r.status, r.output_tokens) == ("cancelled", 5) and len(gone) == 1


def test_stopping_hangs_up_on_what_is_open_and_sends_nothing_more():
    async def soon(client):
        await asyncio.sleep(0.2)
        client.stop()

    records, client = run(script(*tokens(1000, gap=0.01)), asks(1000, 0.05), soon)
    assert 3 <= len(records) <= 6
    assert {r.status for r in records.values()} == {"cancelled"}
    assert all(records[i].output_tokens > 0 for i in range(3))
    assert client.counters().open == 0


def test_the_rate_can_be_held_and_doubled_while_it_runs():
    async def turn(client):
        await asyncio.sleep(0.1)
        client.set(0.0)
        await asyncio.sleep(0.2)
        client.set(4.0)

    records, _ = run(script(*tokens(1)), asks(20, 0.02), turn)
    sent = [records[i].sent for i in range(20)]
    assert sum(0.13 < at < 0.29 for at in sent) == 0, "held"
    late = [b - a for a, b in pairwise(sent) if a > 0.31]
    assert len(late) > 5 and sum(late) / len(late) == pytest.approx(0.005, abs=0.003)
    assert all(records[i].delay < 0.05 for i in range(20)), "late by the pace, not by the client"


def test_a_slow_reader_reads_at_its_rate_and_the_others_as_before():
    async def slow(client):
        while client.counters().streaming != 3:
            await asyncio.sleep(0.005)
        client.slow(1, 0.0)
        await asyncio.sleep(0.5)
        client.slow(0)

    records, _ = run(script(*tokens(40, gap=0.005)), asks(3, 0.0), slow)
    assert max(records[0].gaps) > 0.4, "the oldest was stopped"
    assert max(records[1].gaps) < 0.1 and max(records[2].gaps) < 0.1
    assert all(r.ok for r in records.values())


def test_a_rate_of_a_slow_reader_is_bytes_per_second():
    async def slow(client):
        client.slow(1, 2000.0)

    records, _ = run(script(*tokens(20)), asks(1), slow)
    r = records[0]
    assert r.e2e == pytest.approx(r.received / 2000, rel=0.35)


def test_a_stopped_reader_stops_the_server_soon():
    written, since = [], []

    async def flood(request):
        # The server's own buffer would grow with what the kernel remembers of this address.
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        for _ in range(20_000):
            await answer.write(token("x" * 200))
            written.append(1)
        return answer

    async def stop(client):
        client.slow(1, 0.0)
        before = len(written)
        await asyncio.sleep(0.6)
        since.append(len(written) - before)
        client.stop()

    run(flood, asks(1), stop)
    assert since[0] < 4_000, "its buffers must not hide that nobody reads"


def test_lanes_show_requests_from_the_schedule_to_the_end():
    seen = []

    async def look(client):
        for _ in range(30):
            await asyncio.sleep(0.01)
            seen.append(client.lanes())

    _, client = run(script(0.1, *tokens(4, gap=0.03)), asks(2, 0.05), look)
    phases = {lane.spans[-1][0] for lanes in seen for lane in lanes if lane.number == 1}
    assert phases >= {"prefill", "decode"}
    done = client.lanes()
    assert [lane.number for lane in done] == [1, 2] and {x.ended for x in done} == {"ok"}
    for lane in done:
        assert [p for p, _, _ in lane.spans] == ["queued", "prefill", "decode"]
        assert all(a[2] == b[1] for a, b in pairwise(lane.spans))


def test_a_client_that_lags_knows_it():
    async def block(client):
        await asyncio.sleep(0.05)
        time.sleep(0.2)

    records, client = run(script(*tokens(2)), asks(10, 0.02), block)
    assert max(client.lags) > 0.15
    assert max(r.delay for r in records.values()) > 0.1


def test_answers_are_checked():
    records, _ = run(script(*tokens(3)), [*asks(1, answer="012"), Ask(1, 0.0, "x", 3, answer="0")])
    assert records[0].right is True and records[1].right is False
