"""What a caller hands to the panel: timeline series, roofline points, strip cells, request lanes.

The map of a KV pool is in `kvmap.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from constraintlab.limits.resource import Resource

PHASES = ("queued", "prefill", "decode", "streaming", "paused", "preempted")
"""What a request can be in; `streaming`: computed to the end, and still being sent."""

Span = tuple[str, float, float | None]
"""A phase with its start and end in seconds; None while it goes on."""


@dataclass(frozen=True)
class Series:
    """One line of the timeline: the sample value `key` as a share of `full`, its ceiling.

    A resource's line has its colour; with `resource=None` (how busy something looks) it is
    neutral and dashed.
    """

    key: str
    label: str
    resource: Resource | None
    full: float = 1.0

    def __post_init__(self) -> None:
        if not self.full > 0:
            raise ValueError(f"{self.label}: full={self.full} is no ceiling, give a number above 0")


@dataclass(frozen=True)
class RooflinePoint:
    """A run on the roofline: arithmetic intensity in FLOP/B and FLOP/s achieved.

    `ghost`: an earlier run, drawn hollow to compare with.
    """

    name: str
    intensity: float
    flops_per_s: float
    ghost: bool = False


@dataclass(frozen=True)
class StripCell:
    """Where the constraint was in one lab (None: nothing bound yet), with a few words."""

    lab: str
    constraint: Resource | None
    note: str = ""


@dataclass(frozen=True)
class Lane:
    """One request over time. number: 1 or more, in order of arrival; a KV map has it as the owner.

    label: a few letters. spans: (phase, start, end), oldest first; only the last may have the end
    None, for one that still goes on. ended: how it ended (`stop`, `length`, `cancelled`), empty
    before. Raises ValueError that names the lane.
    """

    number: int
    label: str
    spans: Sequence[Span]
    ended: str = ""

    def __post_init__(self) -> None:
        open_ = False
        for phase, start, end in self.spans:
            if open_:
                raise ValueError(f"lane {self.number}: only the last span may have the end None")
            if phase not in PHASES:
                raise ValueError(f"lane {self.number}: {phase!r} is none of {', '.join(PHASES)}")
            open_ = end is None
            if not (start if open_ else end) >= start:
                raise ValueError(f"lane {self.number}: {phase} runs from {start} to {end}")

    @property
    def phase(self) -> str:
        """What it is in now; empty before it began and after it ended."""
        return self.spans[-1][0] if self.spans and self.spans[-1][2] is None else ""

    @property
    def last(self) -> float:
        """When its last span ended, or began if it goes on."""
        return self.spans[-1][1] if self.spans[-1][2] is None else self.spans[-1][2]


@dataclass(frozen=True)
class Lanes:
    """All requests at the moment `now`, in seconds on the clock of the spans.

    lanes: every request that waits or runs, and those that ended in the last 20 s. waiting,
    running: how many wait and run now, of `slots` that may run. source: as a sample's.
    """

    now: float
    lanes: Sequence[Lane]
    waiting: int
    running: int
    slots: int
    source: str = "measured"

    def __post_init__(self) -> None:
        if min(self.waiting, self.running, self.slots) < 0:
            raise ValueError(
                f"waiting={self.waiting}, running={self.running}, slots={self.slots}: give counts"
            )
