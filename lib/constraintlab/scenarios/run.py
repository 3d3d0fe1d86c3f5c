"""A scenario on the virtual clock: `Ran`, its throughput and counters once it is under way."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from statistics import fmean

from constraintlab.engine.kv.counted import CountedKV
from constraintlab.engine.plan import Budget, Policy
from constraintlab.engine.policies.chunked import Chunked
from constraintlab.engine.policies.continuous import Continuous
from constraintlab.engine.virtual.counts import Counts
from constraintlab.engine.virtual.roofline import Roofline
from constraintlab.engine.virtual.service import Service
from constraintlab.engine.virtual.stations import Stations, Stream
from constraintlab.scenarios.scenario import Scenario

POLICIES = {"chunked": Chunked, "continuous": Continuous}

WARM = 0.25
"""The share of the requests, beyond those that come at once, after which counting begins."""

LASTS = 2
"""How many times as many requests may come to a run that ends with a certain answer: with a
capacity cut by a quarter it takes up to four thirds as long."""


@dataclass(frozen=True)
class Ran:
    """x: output tokens read a second. counts: of that time. peak_slots, peak_kv,
    peak_tokens: the most slots, blocks and tokens of a step that were taken since the start.
    seen: the scenario with what its parts cost in this run, as whoever runs it could measure.
    ended: of an open load on the virtual clock, how many answers had ended when counting began, and
    when it was over."""

    x: float
    counts: Counts
    peak_slots: int
    peak_kv: int
    peak_tokens: int
    seen: Scenario
    ended: tuple[int, int] | None = None


def run(scenario: Scenario, seed: int, ended: tuple[int, int] | None = None) -> Ran:
    """The workload is that of the seed: the same requests with the same readers, in the order in
    which they come, whatever the capacities are. ended: as in `Ran`, of another run of an open
    load: these answers are what is counted here, too, and requests come until the last of them has
    ended. By arrivals alone a slower engine would be asked for fewer of the answers, and a quicker
    load for others, so that X would change with what they happen to be.
    """
    sizes = Workload(scenario, seed)
    service = Service(
        policy(scenario), CountedKV(scenario.blocks, scenario.block_size),
        Budget(scenario.slots, scenario.tokens), cost(scenario), stations(scenario), sizes.after,
    )  # fmt: skip
    if ended:
        before, after = service.serve(sizes.first(LASTS), ended[1], [ended[0]], ended=True)
    else:
        warm = scenario.users + int(WARM * (scenario.requests - scenario.users))
        before, after = service.serve(sizes.first(), scenario.requests, [warm])
    counts = after - before
    read = sum([before.seconds < t <= after.seconds for t in service.tandem.reads])
    peaks = service.peak_slots, service.peak_kv, service.peak_tokens
    many = before.answers.total(), after.answers.total()
    served = many if scenario.open and 0 < many[0] < many[1] else None
    return Ran(read / counts.seconds, counts, *peaks, scenario, served)


def together(runs: Sequence[Ran]) -> Scenario:
    """What several runs of one scenario saw of it, in the mean."""
    costs = ("schedule", "sample", "frame", "wire")
    mean = {name: fmean(getattr(r.seen, name) for r in runs) for name in costs}
    return replace(runs[0].seen, **mean)


Run = Callable[..., Ran]
"""How a scenario is run with the workload of a seed, and, where its runs say which answers `ended`,
with those."""


def policy(scenario: Scenario) -> Policy:
    """Who decides."""
    return POLICIES[scenario.policy](scenario.watermark)


def cost(s: Scenario) -> Roofline:
    """What a step costs."""
    return Roofline(s.compute, s.bandwidth, s.weights, s.flops, s.kv, s.look, s.schedule, s.sample)


def stations(s: Scenario) -> Stations:
    """What stands behind the engine."""
    return Stations(s.frame, s.wire / s.link, s.window)


class Workload:
    """The requests of a scenario and a seed, one after the other."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario, self._id = scenario, 0
        self._prompts = scenario.prompt.draws(Random(f"{seed} prompts"))
        self._answers = scenario.answer.draws(Random(f"{seed} answers"))
        self._gaps = Random(f"{seed} arrivals")
        self._readers = Random(f"{seed} readers")

    def first(self, lasts: int = 1) -> list[Stream]:
        """Those that come whatever happens: one of each user, all of an open load, which lasts for
        so many times the scenario's requests."""
        s, found, at = self.scenario, [], 0.0
        if s.users:
            return [self._next(0.0, user) for user in range(s.users)]
        for _ in range(lasts * s.requests):
            at += self._gaps.expovariate(1.0) / s.rate
            found.append(self._next(at, -1))
        return found

    def after(self, stream: Stream, at: float) -> Stream | None:
        """What a user asks next; nothing follows in an open load."""
        return None if self.scenario.open else self._next(at, stream.user)

    def _next(self, at: float, user: int) -> Stream:
        s, id = self.scenario, self._id
        self._id += 1
        who = user / s.users if s.users else self._readers.random()
        gap = 1 / s.speed if who < s.slow and not math.isinf(s.speed) else 0.0
        return Stream(id, next(self._prompts), next(self._answers), at, gap, user)
