"""Predicted elasticities of a scenario, with what the closed form has to assume as their interval.

A prediction is made from what was counted and from what no counter shows (`Assumed`).
Each is set to the ends of what it may be: the elasticities that come out may as well be right as
the usual one. An end further than WIDE from that excuses no more than WIDE.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from constraintlab.course.scenario_stack import otherwise, usable
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.resource import Resource
from constraintlab.limits.shares import elasticity
from constraintlab.limits.stack import Stack
from constraintlab.scenarios.capacity import scaled
from constraintlab.scenarios.perturb import Interval, Perturbed
from constraintlab.scenarios.scenario import Scenario

WIDE = 0.15
"""The largest half width of an interval that excuses a difference."""


@dataclass(frozen=True)
class Elasticity:
    """To one capacity, for each seed's workload. usual: the prediction. ends: the lowest and the
    highest that it may be."""

    usual: tuple[float, ...]
    ends: tuple[tuple[float, float], ...]

    @property
    def value(self) -> float:
        """The mean over the seeds."""
        return Interval.of(self.usual).value

    @property
    def between(self) -> tuple[float, float]:
        """The means of the lowest and of the highest."""
        return tuple(sum(column) / len(self.ends) for column in zip(*self.ends, strict=True))

    @property
    def width(self) -> float:
        """From the one to the other."""
        low, high = self.between
        return high - low

    @property
    def alone(self) -> Elasticity:
        """The usual prediction, as if nothing else could be assumed."""
        return Elasticity(self.usual, tuple((p, p) for p in self.usual))

    def off(self, found: Sequence[float]) -> Interval:
        """Predicted less found, seed by seed: from the nearest that it may be, no further than WIDE
        from the usual one."""
        off = []
        for e, usual, (low, high) in zip(found, self.usual, self.ends, strict=True):
            off.append(min(max(e, low, usual - WIDE), high, usual + WIDE) - e)
        return Interval.of(off)


def elasticities(
    truth: Perturbed, stacks: Sequence[Stack], caps: Capacities
) -> Mapping[str, Elasticity]:
    """By capacity, to the cuts that were made. stacks: one for each seed's run."""
    runs = zip(truth.base, stacks, strict=True)
    others = [otherwise(ran.seen, ran.counts, stack) for ran, stack in runs]
    found = {}
    for name, factor in truth.factors.items():
        if name in set(Resource):
            how = caps, truth.scenario, name, factor
            usual = tuple(foreseen(stack, *how) for stack in stacks)
            every = (
                (e, *(foreseen(stack, *how) for stack in may))
                for e, may in zip(usual, others, strict=True)
            )
            found[name] = Elasticity(usual, tuple((min(e), max(e)) for e in every))
    return found


def foreseen(stack: Stack, caps: Capacities, scenario: Scenario, name: str, factor: float) -> float:
    """The elasticity to the cut that was made: of a pool, what admissions may take is cut, which is
    whole blocks less a watermark of whole blocks."""
    if not factor < 1:
        return 0.0
    cut = factor
    if name == "kv_capacity":
        cut = usable(scaled(scenario, name, factor)[0]) / usable(scenario)
    # A percent of what was cut is meant, however much of that admissions feel.
    return elasticity(stack, caps, Resource(name), 1 - cut) * math.log(cut) / math.log(factor)
