"""A fleet's requests as the panel's lanes: what the clients saw, and how many the server runs."""

from __future__ import annotations

from constraintlab.course.streamed import Moment
from constraintlab.load.fleet import Fleet
from constraintlab.panel import Lane, Lanes


def lanes(fleet: Fleet, moment: Moment) -> Lanes:
    """Those that are open, and the last that ended, at this moment."""
    shown = [
        Lane(lane.number, str(lane.number), lane.spans, lane.ended)
        for lane in fleet.lanes()
        if lane.spans
    ]
    return Lanes(
        fleet.counters.now, shown, int(moment.waiting), int(moment.running),
        int(moment.gauge("constraintlab:slots")),
    )  # fmt: skip
