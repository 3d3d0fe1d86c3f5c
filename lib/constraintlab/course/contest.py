"""What a policy is worth: a seeded load on a virtual clock, and whom it lets starve.

Nothing here knows whose policy it is: the learner's and the built-in ones run alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from statistics import fmean, median

from constraintlab.course.watched import Watched
from constraintlab.engine.kv.counted import CountedKV
from constraintlab.engine.kv.store import KVStore
from constraintlab.engine.plan import Budget, Policy, StepPlan
from constraintlab.engine.policies.continuous import Continuous
from constraintlab.engine.request import Request
from constraintlab.engine.setup import Setup
from constraintlab.engine.virtual.clock import Clock
from constraintlab.engine.virtual.cost import StepCost
from constraintlab.engine.virtual.ghost import Ghost
from constraintlab.engine.virtual.machines import h100
from constraintlab.load import profiles
from constraintlab.load.arrivals import Poisson
from constraintlab.load.direct import Due, drawn
from constraintlab.load.metrics import Distribution

SCALE, CAP = 8.0, 2048
"""R1's lengths are divided by this, and cut where prompt and answer are longer together."""

SETUP = Setup(policy="continuous", slots=8, tokens=512, blocks=512)
"""Eight slots, and a pool of 8,192 tokens: some 27 requests of mean length."""

BEFORE, LONG, SHORT = 50, 400, 48
"""Tokens that two requests write which came before the long one; the long one's; short ones'. Half
of R1's answers, scaled, have up to 99."""

PRESSURE, PATIENCE = 2, 4
"""Work that comes with the stream, as a multiple of what all slots do. The bound is so many times
the steps that the long request and those before it would take one after the other."""

FEW = 4
"""Slots at most beside such a stream."""

BOUND = PATIENCE * (2 * BEFORE + LONG)
"""Steps within which it has to be done."""


@dataclass(frozen=True)
class Ran:
    """A run. short: TTFT of those whose answers are no longer than the median; long: E2E of the
    others; e2e: mean of all. rate: output tokens a second. idle: slot-steps lost, as a share."""

    short: Distribution
    long: Distribution
    e2e: float
    rate: float
    idle: float
    lost: int
    first: tuple[int, Request] | None


@dataclass(frozen=True)
class Contest:
    """The load, the engine's room and what a step costs. load: offered ÷ saturated throughput;
    requests: of each of the `seeds` runs. setup: slots, tokens and pool; its policy does not
    matter. Raises ValueError for values that make no load."""

    requests: int = 300
    seeds: int = 3
    load: float = 0.8
    setup: Setup = SETUP
    cost: StepCost = field(default_factory=h100)

    def __post_init__(self) -> None:
        if self.requests < 20 or self.seeds < 1:
            raise ValueError(
                f"requests={self.requests}, seeds={self.seeds}: give 20 requests or more, and 1 run"
            )
        if not 0 < self.load < 1:
            raise ValueError(f"load={self.load}: give a share of the throughput, between 0 and 1")

    def due(self) -> list[list[Due]]:
        """The requests of each run: R1's lengths, scaled, at Poisson times."""
        profile = profiles.load("reasoning", SCALE, CAP)
        crowd = drawn(profile, 25 * self.setup.slots, seed=98)
        seconds, tokens = self._drive(Watched(Continuous()), crowd)[0].queued
        rate = self.load * tokens / seconds / fmean(d.output for d in drawn(profile, 5000, 99))
        return [drawn(profile, self.requests, s, Poisson(rate)) for s in range(self.seeds)]

    def run(self, policy: Policy, due: Sequence[Due], first: int = 0) -> Ran:
        """These requests, whose names count from `first` on."""
        middle = median(d.output for d in due)
        watched, ghosts = self._drive(Watched(policy), due, first)
        clock = watched.clock
        return Ran(
            Distribution.of([g.first - g.arrival for g in ghosts if g.wanted <= middle]),
            Distribution.of([g.ended - g.arrival for g in ghosts if g.wanted > middle]),
            fmean(g.ended - g.arrival for g in ghosts), clock.tokens / clock.now,
            watched.lost / (clock.steps * clock.budget.slots), clock.lost, watched.first,
        )  # fmt: skip

    def starved(self, policy: Policy, size: int) -> Ghost | None:
        """The long request if it is not done after BOUND steps, None if it is: beside a stream of
        requests of `size` tokens that never ends and asks for more than all slots can do."""
        slots, long = min(FEW, self.setup.slots), Ghost("C", 8, LONG, 3e-6)
        gap = size * self.cost.step(slots, 0) / PRESSURE  # in which `slots` of them come

        def stream() -> Iterator[Ghost]:
            yield from (Ghost(name, 8, BEFORE, 1e-6) for name in "AB")
            yield long
            for number in count():
                if long.finish_reason:
                    raise _Over
                yield Ghost(number, 8, size, gap * (1 + number // slots))

        watched, budget = _Bounded(policy), Budget(slots, self.setup.tokens)
        watched.clock = Clock(watched, self._store(), budget, self.cost)
        with suppress(_Over):
            watched.clock.run(stream())
        return None if long.finish_reason else long

    def _drive(
        self, watched: Watched, due: Sequence[Due], first: int = 0
    ) -> tuple[Watched, list[Ghost]]:
        ghosts = [Ghost(first + i, d.prompt, d.output, d.at) for i, d in enumerate(due)]
        watched.clock = Clock(watched, self._store(), self.setup.budget(), self.cost)
        watched.clock.run(ghosts)
        return watched, ghosts

    def _store(self) -> CountedKV:
        return CountedKV(self.setup.blocks, self.setup.block_size)


class _Over(Exception):
    """The run has shown what it was for."""


class _Bounded(Watched):
    """Over after exactly BOUND steps."""

    def plan(
        self, waiting: Sequence[Request], running: Sequence[Request], kv: KVStore, budget: Budget
    ) -> StepPlan:
        left = BOUND - self.clock.steps
        if not left:
            raise _Over
        plan = super().plan(waiting, running, kv, budget)
        return replace(plan, horizon=min(plan.horizon, left))
