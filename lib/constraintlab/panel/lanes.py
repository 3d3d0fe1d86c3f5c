"""Request lanes on their way to the page: which rows there is room for, and what the title says."""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from constraintlab.panel.charts.timeline import SECONDS
from constraintlab.panel.maps import Packed
from constraintlab.panel.palette import kind
from constraintlab.panel.parts import PHASES, Lane, Lanes

WINDOWS = (1.0, 2.0, 5.0, 8.0, 12.0, SECONDS)
"""Seconds drawn: the shortest of these that holds what there is."""

ROWS = 20
"""Requests drawn; who has no row is counted in words."""

FADES = (0.3, 0.5, 0.75)
"""How strongly the ended requests that leave next are drawn."""

STALLED = 1.0
"""Seconds without an admission, while some wait, of which the title speaks."""

STEP = 0.1
"""Seconds between two points of the strips under the lanes."""

WORKS = ("prefill", "decode", "streaming")


@dataclass(frozen=True)
class Row:
    """A lane with its strength, 1 where it does not fade."""

    lane: Lane
    strength: float = 1.0


@dataclass(frozen=True)
class Shown:
    """The rows in order of arrival, and how many that wait or run have none."""

    rows: tuple[Row, ...]
    waiting: int = 0
    running: int = 0

    @property
    def rest(self) -> str:
        """`and 34 more that wait`, empty if each has its row."""
        parts = [f"{n} more that {what}"
                 for n, what in ((self.running, "run"), (self.waiting, "wait")) if n]  # fmt: skip
        return f"and {' and '.join(parts)}" if parts else ""


class Trail:
    """The last seconds of (t, running, waiting), at most ten a second, the newest always."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int, int]] = deque()

    def add(self, lanes: Lanes) -> None:
        """A clock that restarts empties the trail."""
        points, now = self._points, lanes.now
        if points and now < points[-1][0]:
            points.clear()
        if len(points) > 1 and points[-1][0] - points[-2][0] < STEP:
            points.pop()
        points.append((now, lanes.running, lanes.waiting))
        while len(points) > 1 and points[1][0] <= now - SECONDS:
            points.popleft()

    def points(self) -> list[tuple[float, int, int]]:
        """Oldest first; the first may lie before the window, for the step that enters it."""
        return list(self._points)


def pick(lanes: Lanes) -> Shown:
    """Who gets a row: all that wait or run, then the last that ended; of too many, who runs."""
    live = [lane for lane in lanes.lanes if lane.phase]
    if len(live) > ROWS:
        runs = [lane for lane in live if lane.phase in WORKS]
        rest = [lane for lane in live if lane.phase not in WORKS]
        kept = runs[: ROWS - 1]
        kept += rest[: ROWS - 1 - len(kept)]
        hidden = max(0, len(runs) - ROWS + 1)
        return Shown(_rows(kept, {}), len(live) - len(kept) - hidden, hidden)
    done = [lane for lane in lanes.lanes if lane.spans and not lane.phase]
    done = sorted((x for x in done if x.last > lanes.now - SECONDS), key=lambda x: -x.last)
    kept = done[: ROWS - len(live)]
    fading = kept[::-1][: len(FADES)] if len(kept) < len(done) else ()
    strength = {lane.number: FADES[i] for i, lane in enumerate(fading)}
    return Shown(_rows(live + kept, strength))


def window(lanes: Lanes, trail: Sequence[tuple[float, int, int]] = ()) -> float:
    """Seconds to draw; a run that has just begun would be a sliver of the longest."""
    begun = [lane.spans[0][1] for lane in lanes.lanes if lane.spans]
    past = lanes.now - min([lanes.now, *begun, *(t for t, _, _ in trail[:1])])
    return next((w for w in WINDOWS if past <= w), SECONDS)


def _rows(lanes: list[Lane], strength: dict[int, float]) -> tuple[Row, ...]:
    ordered = sorted(lanes, key=lambda lane: lane.number)
    return tuple(Row(lane, strength.get(lane.number, 1.0)) for lane in ordered)


def pack(lanes: Lanes | None, trail: Sequence[tuple[float, int, int]]) -> Packed:
    """(head, buffers): spans as [row, phase, start, end] and the trail as [t, running, waiting].

    64-bit floats, times counted from now; an end of NaN goes on. An empty head for None.
    """
    if lanes is None:
        return {}, []
    shown, now, seconds = pick(lanes), lanes.now, window(lanes, trail)
    spans = array("d")
    for i, row in enumerate(shown.rows):
        for phase, start, end in row.lane.spans:
            if end is None or end > now - seconds:
                to = math.nan if end is None else end - now
                spans.extend((i, PHASES.index(phase), start - now, to))
    points = array("d", [x for t, r, w in trail for x in (t - now, r, w)])
    finding, shows = title(lanes, seconds)
    head = {
        "finding": finding,
        "shows": shows,
        "seconds": seconds,
        "facts": [f"running: {batch(lanes)}", f"waiting: {lanes.waiting}"],
        "rows": [
            {"number": row.lane.number, "label": row.lane.label, "ended": row.lane.ended,
             "strength": row.strength, "state": state(row.lane, now)}
            for row in shown.rows
        ],
        "rest": shown.rest,
        "running": batch(lanes),
        "waiting": str(lanes.waiting),
        "slots": lanes.slots,
        "sources": [{"kind": kind(lanes.source), "what": "lanes"}],
    }  # fmt: skip
    return head, [spans.tobytes(), points.tobytes()]


def batch(lanes: Lanes) -> str:
    """`6 of 8 slots`: the running, of how many may."""
    return f"{lanes.running} of {lanes.slots} slots"


def state(lane: Lane, now: float) -> str:
    """What a lane is in, or how it ended, in words."""
    if lane.phase:
        return f"{lane.phase} for {now - lane.last:.1f} s"
    return f"{lane.ended or 'ended'} {now - lane.last:.1f} s ago"


def admitted(lanes: Lanes) -> float:
    """When a request was last let in from the queue or after a preemption; NaN if none is known."""
    last = math.nan
    for lane in lanes.lanes:
        before = ""
        for phase, start, _ in lane.spans:
            if phase in WORKS and before not in WORKS and not start <= last:
                last = start
            before = phase
    return last


def title(lanes: Lanes, seconds: float = SECONDS) -> tuple[str, str]:
    """(finding about the last so many seconds, what the lanes show)."""
    wait, run, slots = lanes.waiting, lanes.running, lanes.slots
    shows = "one row a request, the newest at the bottom"
    if not lanes.lanes and not wait and not run:
        return "No request has come yet", shows
    if not wait:
        text = f"{_run(run)} and none waits" if run else "Nothing runs and nothing waits"
        if 0 < run < slots:
            text += f": {slots - run} of {slots} slots {'is' if slots - run == 1 else 'are'} free"
    else:
        text = f"{wait} {'waits' if wait == 1 else 'wait'} while {_run(run).lower()}"
        text += ", every slot taken" if run >= slots else ""
        since = lanes.now - admitted(lanes)
        if since >= STALLED:
            text += f": no request has been admitted for {since:.1f} s"
    start = lanes.now - seconds
    lost = sum(p == "preempted" and s > start for lane in lanes.lanes for p, s, _ in lane.spans)
    if lost:
        text += f"; {lost} preemption{'' if lost == 1 else 's'} in the last {seconds:g} s"
    return text, shows


def _run(n: int) -> str:
    return f"{n or 'None'} {'run' if n > 1 else 'runs'}"
