"""What lab 07 asks the virtual clock: the same users under another setup, and many more of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from random import Random

from constraintlab.course.driver import Ran
from constraintlab.course.halves import Halves
from constraintlab.engine.kv.counted import CountedKV
from constraintlab.engine.setup import Setup
from constraintlab.engine.virtual.clock import Clock
from constraintlab.engine.virtual.cost import StepCost
from constraintlab.engine.virtual.ghost import Ghost
from constraintlab.engine.virtual.speed import Speed
from constraintlab.load.arrivals import Poisson
from constraintlab.load.tail import Seen
from constraintlab.load.workload import Source


@dataclass(frozen=True)
class Day(Halves):
    """Requests that went through a virtual clock. cut: how many answers ended at the limit.

    rate: output tokens a second over all of it; batch: sequences a step.
    """

    name: str
    seen: tuple[Seen, ...]
    rate: float
    batch: float
    cut: int = 0


def replayed(name: str, ran: Ran, setup: Setup, limit: int | None = None) -> Day:
    """The requests of a run, as they came, under another setup, at that run's own step costs.
    limit: tokens of an answer, which ends there."""
    offered = ran.offered
    cost, speed = offered.calibrated()
    due = [(d.at, d.prompt, d.output) for d in offered.due]
    return _day(name, due, setup, cost, limit, speed)


def many(
    name: str, source: Source, n: int, rate: float, setup: Setup, cost: StepCost,
    limit: int | None = None, seed: int = 0,
) -> Day:  # fmt: skip
    """n independent requests of a source's lengths, `rate` a second; infinite: all at once."""
    times = Poisson(rate).times(Random(f"{seed} arrivals")) if rate < math.inf else repeat(0.0)
    sizes = source.draws(Random(f"{seed} lengths"))
    due = [(at, s.prompt, s.output) for _, at, s in zip(range(n), times, sizes, strict=False)]
    return _day(name, due, setup, cost, limit)


def _day(
    name: str, due: Sequence[tuple[float, int, int]], setup: Setup, cost: StepCost,
    limit: int | None = None, speed: Speed | None = None,
) -> Day:  # fmt: skip
    most = limit or max(o for _, _, o in due)
    ghosts = [Ghost(i, p, min(o, most), at) for i, (at, p, o) in enumerate(due)]
    kv = CountedKV(setup.blocks, setup.block_size)
    clock = Clock(setup.scheduler(), kv, setup.budget(), cost, speed=speed)
    clock.run(ghosts)
    wanted = [o for _, _, o in due]
    # In halves by what was asked for: a limit makes nobody short.
    seen = [replace(Seen.of_ghost(g), output=wanted[g.id]) for g in ghosts]
    begun = due[0][0]
    return Day(
        name, tuple(seen), clock.tokens / (clock.now - begun), clock.tokens / clock.steps,
        sum(o > most for o in wanted),
    )  # fmt: skip
