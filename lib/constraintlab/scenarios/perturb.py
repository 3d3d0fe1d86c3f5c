"""Elasticities by paired perturbation: rerun the same seeded workload with one capacity cut.

An elasticity is Δln X ÷ Δln capacity. A share is what the design charges to a resource: where a
shortage of room (slots, KV) keeps requests waiting, the part of a step that more sequences would
dilute is the room's and not that of who spends it. Both are measured: a share of a rate takes the
elasticity to that part out again, which another cut (of what each sequence adds, alone) shows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from constraintlab.scenarios.capacity import CAPACITIES, each_scaled, has, scaled
from constraintlab.scenarios.run import Ran, Run, run
from constraintlab.scenarios.scenario import Scenario

CUT, LEAST = 0.2, 0.05
ROOM = ("slots", "kv_capacity")
STUDENT = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 8: 2.36, 10: 2.26}
"""Student's t for 95%, by how many seeds there are."""


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its 95% interval (Student's t)."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        """ValueError for a number of values without a t in STUDENT."""
        if len(values) not in STUDENT:
            raise ValueError(f"{len(values)} seeds: use {', '.join(map(str, STUDENT))}")
        mean = fmean(values)
        half = STUDENT[len(values)] * stdev(values) / math.sqrt(len(values))
        return cls(mean, mean - half, mean + half)


@dataclass(frozen=True)
class Perturbed:
    """elasticities, shares: by capacity, a value for each seed. factors: what each cut capacity was
    multiplied by. base: the runs with nothing cut, by seed."""

    scenario: Scenario
    seeds: tuple[int, ...]
    base: tuple[Ran, ...]
    elasticities: Mapping[str, tuple[float, ...]]
    shares: Mapping[str, tuple[float, ...]]
    factors: Mapping[str, float]

    def elasticity(self, name: str) -> Interval:
        """With its interval over the seeds."""
        return Interval.of(self.elasticities[name])

    def share(self, name: str) -> Interval:
        """The same."""
        return Interval.of(self.shares[name])

    @property
    def largest(self) -> str:
        """The capacity with the largest share."""
        return max(self.shares, key=lambda name: self.share(name).value)


def perturb(
    scenario: Scenario,
    seeds: Iterable[int],
    cut: float = CUT,
    least: float = LEAST,
    run: Run = run,
) -> Perturbed:
    """All capacities that the scenario has, cut one at a time on each seed's workload. least: a cut
    whose elasticity is smaller than that on the first workload is not tried on the others. run: on
    what; the virtual clock unless given."""
    seeds = tuple(seeds)
    base = tuple(run(scenario, seed) for seed in seeds)
    found, factors = {}, {}
    for name in CAPACITIES:
        if has(scenario, name):
            less, factor = scaled(scenario, name, 1 - cut)
            factors[name], slopes = factor, []
            for seed, one in zip(seeds, base, strict=True):
                idle = bool(slopes) and abs(slopes[0]) < least
                if factor == 1 or idle or _same(name, less, one):
                    slopes.append(slopes[0] if idle else 0.0)
                else:
                    slopes.append(_slope(run, less, seed, one, factor))
            found[name] = tuple(slopes)
    shares = _shares(run, scenario, seeds, base, found, cut)
    return Perturbed(scenario, seeds, base, found, shares, factors)


def _slope(run: Run, changed: Scenario, seed: int, before: Ran, factor: float) -> float:
    same = (before.ended,) if before.ended else ()
    return math.log(run(changed, seed, *same).x / before.x) / math.log(factor)


def _same(name: str, less: Scenario, ran: Ran) -> bool:
    """Whether the run with less would be the same one: no more than that was ever taken."""
    match name:
        case "slots":
            return ran.peak_slots <= less.slots
        case "kv_capacity":
            return ran.peak_kv + math.ceil(less.watermark * less.blocks) <= less.blocks
        case "tokens":
            return ran.peak_tokens <= less.tokens
        case "compute":  # no kernel of any step turns compute-bound
            products = less.flops * ran.peak_tokens / less.compute <= less.weights / less.bandwidth
            looks = less.look * ran.peak_tokens / less.compute <= less.kv / less.bandwidth
            return products and looks
    return False


def _shares(run, scenario, seeds, base, found, cut):
    room = [sum(found[name][i] for name in ROOM) for i in range(len(seeds))]
    if max(room) < 0.05:
        return dict(found)
    shares = {name: list(values) for name, values in found.items()}
    diluted = {}
    for name in ("bandwidth", "host"):
        if name in found:
            less = each_scaled(scenario, name, 1 - cut)
            diluted[name] = [
                found[name][i] - _slope(run, less, seed, base[i], 1 - cut)
                if abs(found[name][i]) > LEAST
                else 0.0
                for i, seed in enumerate(seeds)
            ]
    for i in range(len(seeds)):
        taken = sum(parts[i] for parts in diluted.values())
        part = min(1.0, max(0.0, room[i] / taken)) if taken > 0 else 0.0
        for name, parts in diluted.items():
            shares[name][i] -= part * parts[i]
    return {name: tuple(values) for name, values in shares.items()}
