"""One reader of many stands still for a while: what it meets, and what the others notice."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from itertools import pairwise

from constraintlab.course.line import Line, Plan
from constraintlab.course.streaming_stage import StreamingStage
from constraintlab.course.told import Told
from constraintlab.load.metrics import Distribution
from constraintlab.load.record import Record
from constraintlab.load.workload import Workload

STATES = ("coalescing", "paused")


@dataclass(frozen=True)
class Stalled:
    """began, ended: when it stood still, in seconds of the clients' clock."""

    told: Told
    began: float
    ended: float

    @property
    def slow(self) -> Record:
        """The one that stood still: it waited longest for an event."""
        return max(self.told.ran.records, key=lambda r: max(r.gaps, default=0.0))

    @property
    def others(self) -> list[Record]:
        """All but that one."""
        return [r for r in self.told.ran.records if r is not self.slow]

    def itl(self, meanwhile: bool) -> Distribution | None:
        """The others' waits for an event before it stood still, or meanwhile."""
        first, last = (self.began, self.ended) if meanwhile else (0.0, self.began)
        gaps = []
        for record in self.others:
            gaps += [b - a for a, b in pairwise(record.events.times) if first <= a and b <= last]
        return Distribution.of(gaps)

    @property
    def worse(self) -> float:
        """The others' p99 meanwhile ÷ before."""
        return self.itl(True)[99] / self.itl(False)[99]

    @property
    def waited(self) -> float:
        """Seconds that the slow reader waited for one event."""
        return max(self.slow.gaps)

    @property
    def largest(self) -> int:
        """Tokens of its largest event: what had waited, in one frame."""
        return max(self.slow.events.tokens)

    @property
    def queued(self) -> float:
        """The most bytes of events that waited in the server, for all streams."""
        return max(m.gauge("constraintlab:send_queue_bytes") for m in self.told.ran.moments)

    def state(self, name: str) -> float | None:
        """Seconds after it stood still at which its stream was first seen in a state; None where
        it never was."""
        own = frozenset({("state", name)})
        at = [
            m.scrape.t - self.told.ran.start - self.began
            for m in self.told.ran.moments
            if sum(m.scrape.values("constraintlab:streams_slow", own))
        ]
        return min(at, default=None)


async def stalled(
    stage: StreamingStage, plan: Plan, workload: Workload, quiet: float, seconds: float
) -> Stalled:
    """The plan's workload; after `quiet` seconds one reader takes nothing for so many `seconds`.

    ValueError for a plan without a link: it is the link that stops.
    """
    if plan.link is None:
        raise ValueError(f"{plan.name}: one of its link's connections is to stop, give link={{}}")
    marks: list[float] = []

    async def stop(line: Line) -> None:
        await asyncio.sleep(quiet)
        link = line.link
        first = min(c.number for c in link.stats().connections)
        for slow, rest in (((first,), seconds), ((), 0.0)):
            link.set(slow=slow, slow_rate=0.0)
            marks.append(time.monotonic())
            await asyncio.sleep(rest)

    told = await stage.stream(plan, workload, stop)
    began, ended = (m - told.ran.start for m in marks)
    return Stalled(told, began, ended)
