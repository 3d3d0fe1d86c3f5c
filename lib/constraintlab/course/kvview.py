"""An engine's report as what the panel draws: the blocks of its pool, and its requests' lanes."""

from __future__ import annotations

from collections.abc import Iterator

from constraintlab.engine.report import Life, Report
from constraintlab.panel import KVMap, Lane, Lanes
from constraintlab.panel.parts import Span


def kv_map(name: str, report: Report) -> KVMap:
    """Who holds each block and how full it is; owners are the numbers of the lanes."""
    return KVMap(name, report.block_size, report.owners, report.filled)


def lanes(report: Report, since: float = 0.0) -> Lanes:
    """All requests that came at `since` on the report's clock or later."""
    shown = [_lane(life) for life in report.lives if life.spans and life.spans[0].start >= since]
    return Lanes(report.now, shown, report.waiting, report.running, report.slots)


def _lane(life: Life) -> Lane:
    return Lane(life.number, str(life.number), tuple(_spans(life)), life.ended or "")


def _spans(life: Life) -> Iterator[Span]:
    """A request that ran before and waits again was preempted."""
    ran = False
    for phase, start, end in life.spans:
        yield "preempted" if ran and phase == "queued" else phase, start, end
        ran = ran or phase != "queued"
