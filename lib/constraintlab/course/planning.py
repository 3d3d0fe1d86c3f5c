"""How many replicas a promise takes: by the mean, as it is often planned, and by its percentile.

On the virtual clock, with the real policy and what a step costs. A router that knows nothing
gives each replica a share of independent users, and so each is an independent system: one of them
is run, several times over.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from statistics import fmean

from constraintlab.course.tail_virtual import Day, many
from constraintlab.engine.setup import Setup
from constraintlab.engine.virtual.cost import StepCost
from constraintlab.load.metrics import Distribution
from constraintlab.load.slo import Slo
from constraintlab.load.workload import Source

RUNS, REQUESTS = 4, 1500
"""Of one replica, and the requests of each; the first tenth of a run finds it empty and is left
out."""

MOST = 4096
"""Replicas."""

METRICS = ("ttft", "e2e")
"""What can be promised here: a virtual clock has no stream whose gaps could be."""


@dataclass(frozen=True)
class Sized:
    """Some replicas under the load. rate: output tokens a second of one; runs: of one replica."""

    replicas: int
    rate: float
    runs: tuple[Day, ...]

    def samples(self, metric: str) -> list[float]:
        """Seconds of all runs together, a number a request."""
        return list(chain(*(_steady(run, metric) for run in self.runs)))

    def all(self, metric: str) -> Distribution:
        """Those, as a distribution."""
        return Distribution.of(self.samples(metric))

    def spread(self, metric: str, p: float | None) -> tuple[float, float]:
        """The lowest and highest that one run had; p: a percentile, or the mean without."""
        each = [_at(Distribution.of(_steady(run, metric)), p) for run in self.runs]
        return min(each), max(each)

    def broken(self, slo: Slo, p: float | None) -> list[str]:
        """Of METRICS, those whose percentile, or mean without p, is above its limit."""
        limits = [(m, getattr(slo, m)) for m in METRICS if getattr(slo, m) is not None]
        return [metric for metric, limit in limits if _at(self.all(metric), p) > limit]

    def spent(self, metric: str) -> dict[str, float]:
        """Where the time of each run's slowest went: cause → seconds of one, largest first."""
        tails = [run.tail(metric) for run in self.runs]
        causes = dict.fromkeys(cause for tail in tails for cause in tail.seconds)
        slowest = sum(len(tail.requests) for tail in tails)
        found = {c: sum(t.seconds.get(c, 0.0) for t in tails) / slowest for c in causes}
        return dict(sorted(found.items(), key=lambda pair: -pair[1]))


@dataclass(frozen=True)
class Sizes:
    """All that was tried, by replicas; MOST of them are nearly idle. by_mean, by_tail: the fewest
    that keep the promise, by the mean and by `p`."""

    tried: tuple[Sized, ...]
    slo: Slo
    p: float

    @property
    def by_mean(self) -> Sized:
        return next(s for s in self.tried if not s.broken(self.slo, None))

    @property
    def by_tail(self) -> Sized:
        return next(s for s in self.tried if not s.broken(self.slo, self.p))


def size(
    source: Source,
    rate: float,
    slo: Slo,
    setup: Setup,
    cost: StepCost,
    p: float = 99.0,
    requests: int = REQUESTS,
    say: Callable[[Sized], object] = lambda sized: None,
) -> Sizes:
    """The fewest replicas that keep a promise to users who come independently, `rate` a second.

    say: called with each number of replicas that was tried. Raises ValueError for a promise that
    this can't tell of, one that no number of replicas keeps, or a rate that isn't above 0.
    """
    _check(slo, rate)
    tried: dict[int, Sized] = {}

    def attempt(replicas: int) -> Sized:
        if replicas not in tried:
            tried[replicas] = attempted(source, rate, replicas, setup, cost, requests)
            say(tried[replicas])
        return tried[replicas]

    for q in (None, p):
        if attempt(MOST).broken(slo, q):
            what = "the mean" if q is None else f"p{q:g}"
            alone = ", ".join(f"{m} {_at(attempt(MOST).all(m), q):.3g} s" for m in METRICS)
            raise ValueError(
                f"{what} breaks {slo} on a server that is nearly idle ({alone}): no number of "
                "replicas keeps that; promise less, or make a request cheaper"
            )
    full = many("full", source, requests, math.inf, setup, cost)
    saturated = requests / max(s.at + s.e2e for s in full.seen)
    below = math.floor(rate / saturated)  # a replica can't do more: so few have a queue that grows
    for q in (None, p):
        _fewest(lambda n, q=q: not attempt(n).broken(slo, q), below)
    return Sizes(tuple(tried[n] for n in sorted(tried)), slo, p)


def attempted(
    source: Source, rate: float, replicas: int, setup: Setup, cost: StepCost,
    requests: int = REQUESTS,
) -> Sized:  # fmt: skip
    """What so many replicas make of `rate` requests a second: RUNS runs of one of them."""
    runs = tuple(
        many(f"{replicas}", source, requests, rate / replicas, setup, cost, seed=seed)
        for seed in range(RUNS)
    )
    return Sized(replicas, fmean(run.rate for run in runs), runs)


def _fewest(enough: Callable[[int], bool], below: int) -> int:
    """The smallest number that is, above one that is not: more replicas keep what fewer do."""
    low, high = below, min(MOST, below + 1)
    while not enough(high):
        low, high = high, min(MOST, high + max(1, 2 * (high - below)))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _check(slo: Slo, rate: float) -> None:
    if not rate > 0:
        raise ValueError(f"rate={rate}: give requests a second, above 0")
    if slo.tpot is not None or slo.itl is not None:
        raise ValueError("the virtual clock tells ttft and e2e: promise one of these, or both")
    if slo.ttft is None and slo.e2e is None:
        raise ValueError("what is promised? give ttft= or e2e=, such as ttft=500ms")


def _steady(run: Day, metric: str) -> list[float]:
    values = [getattr(s, metric) for s in sorted(run.seen, key=lambda s: s.at)]
    return values[len(values) // 10 :]


def _at(found: Distribution, p: float | None) -> float:
    return found.mean if p is None else found[p]
