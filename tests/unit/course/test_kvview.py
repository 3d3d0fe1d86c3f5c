"""An engine's report as maps and lanes."""

from dataclasses import replace

from constraintlab.course.kvview import kv_map, lanes
from constraintlab.engine.report import SHARED, TOTALS, Life, Report, Span

PAST = Life(1, "a", [Span("queued", 0.0, 1.0), Span("prefill", 1.0, 2.0)], ended="stop")
BACK = Life(
    2, "b", [Span("queued", 1.0, 2.0), Span("prefill", 2.0, 3.0), Span("decode", 3.0, 4.0),
             Span("queued", 4.0)],
)  # fmt: skip
LIVE = Life(3, "c", [Span("queued", 2.0, 3.0), Span("prefill", 3.0)])
REPORT = Report(
    5.0, dict.fromkeys(TOTALS, 0.0), 1, 1, 8, (64, 32, 20), 16, (3, SHARED, 0, 0), (16, 4, 0, 0),
    (PAST, BACK, LIVE), {},
)  # fmt: skip


def test_blocks_keep_their_owners_and_fillings():
    seen = kv_map("paged", REPORT)
    assert (seen.name, seen.blocks, seen.free, seen.tokens, seen.shared) == ("paged", 4, 2, 20, 1)


def test_who_waits_again_was_preempted_and_the_ended_say_how():
    seen = lanes(REPORT)
    assert [(lane.number, lane.label) for lane in seen.lanes] == [(1, "1"), (2, "2"), (3, "3")]
    assert [lane.phase for lane in seen.lanes] == ["", "preempted", "prefill"]
    assert [lane.ended for lane in seen.lanes] == ["stop", "", ""]
    assert (seen.waiting, seen.running, seen.slots, seen.now) == (1, 1, 8, 5.0)


def test_requests_of_an_earlier_run_are_left_out():
    assert [lane.number for lane in lanes(REPORT, since=1.0).lanes] == [2, 3]
    assert lanes(replace(REPORT, lives=())).lanes == []
