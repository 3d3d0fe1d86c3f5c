"""The stream bench at a tiny size: its metrics, its peers, and that harm and leaks would show."""

import math

import pytest

from constraintlab.bench import abuse, stream, wire
from constraintlab.bench.report import Report
from constraintlab.bench.stalled import _p99
from constraintlab.course import wiretap
from constraintlab.engine.setup import Setup
from constraintlab.load.record import Events, Record
from constraintlab.serving.launch import Server

TOKENS = 24


@pytest.fixture(scope="module")
def server():
    with Server(Setup("stub", blocks=4096, slots=8, tokens=512), head_seconds=0.3) as found:
        yield found


def test_the_bare_peer_writes_the_bytes_of_our_own_answer(server):
    asked = wire.request(stream.PROMPT, TOKENS)
    answer = wiretap.answer(server.port, asked)
    parts = wiretap.pieces(answer)
    assert b"".join(parts) == answer and len(parts) == TOKENS
    assert all(p.count(b'"text":') == 1 for p in parts)
    with wire.bare(parts, 3) as (port, pid):
        got = wire.read(port, asked, 3)
        # The reader stops at [DONE]: what follows it may still be on its way.
        assert 0 <= 3 * len(answer) - got["bytes"] <= 3 * 20
        assert got["events"] == 3 * (TOKENS + 1) and wire.spent(pid) > 0


def test_every_part_of_the_path_is_reported():
    report = Report("stream", {})
    stream.path(report, 1, 8, 200, lambda line: None)
    found = {r["metric"]: r["value"] for r in report.results}
    assert found.keys() == {
        "events_per_cpu_second_over_bare", "coalesce8_speedup", "coalesce8_wall_speedup",
        *(f"stage_us_{s}" for s in stream.STAGES),
    }  # fmt: skip
    assert all(math.isfinite(v) for v in found.values())


def test_bad_requests_get_a_4xx_each_and_a_stream_beside_them_is_whole(server):
    with abuse.Beside(server.port, 2, 40) as beside:
        assert abuse.bodies(server.port, 60) == []
        assert abuse.heads(server.port, 3, 100_000) == []
        assert abuse.dripping(server.port, 2, 5.0) == []
    assert beside.harmed == 0


def test_readers_that_leave_lose_no_block(server):
    abuse.leave(server.port, 12)
    assert stream._lost(server) == 0


def test_a_stream_that_is_cut_short_counts_as_harmed(server):
    beside = abuse.Beside(server.port, 2, 40, [40, 39])
    assert beside.harmed == 1


def test_blocks_that_stay_taken_show(monkeypatch):
    text = "vllm:num_requests_running 0\nvllm:kv_cache_usage_perc 0.5\n"
    monkeypatch.setattr(stream, "fetch", lambda *_: text)
    assert stream._lost(type("Server", (), {"url": ""})) == 2048


def test_p99_is_of_the_gaps_within_a_part_of_the_run():
    times = [*range(100), 100.5, 101.0, 150.0]
    record = Record(0, 0.0, 0.0, events=Events((float(t), 1, 9) for t in times))
    assert _p99([record], 0, 99) == 1.0
    assert _p99([record], 100, 200) == 49.0
