"""A verdict on a scenario held against what perturbing that scenario shows.

A name alone must have the largest share, or one that lies within the interval of the difference
to it. Two names claim a near tie: one of them must have the largest share, and the other's reach
CLOSE of it, or stand right behind: without the first X gains less than BEHIND, and the second binds
next. An interval wider than WIDE excuses nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import fmean, median

from constraintlab.course.scenario_stack import capacities, stack_of, together, usable
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.catalogue import more
from constraintlab.limits.diagnose import BEHIND, CLOSE, diagnose
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource
from constraintlab.limits.shares import elasticity
from constraintlab.limits.stack import Stack
from constraintlab.limits.verdict import Verdict
from constraintlab.limits.whatif import whatif
from constraintlab.scenarios.capacity import scaled, without
from constraintlab.scenarios.perturb import CUT, LEAST, Interval, Perturbed, perturb
from constraintlab.scenarios.run import Run, run
from constraintlab.scenarios.run import together as seen_together
from constraintlab.scenarios.scenario import Scenario

VIRTUAL = "modelled: the virtual clock"
REAL = "measured: a real stack, its device simulated"

WIDE = 0.15
"""The largest half width of an interval that lets a second share pass for the largest."""

SLACK = 0.1
"""Two elasticities that differ by no more are equal: a cut of a fifth shows no finer."""

MINOR = 0.25
"""Without a limit only the largest share is asked for: a smaller elasticity is none."""

RAISE = 2.0
"""What the fix of the constraint multiplies its capacity by."""


@dataclass(frozen=True)
class Seen:
    """A scenario's verdict and its truth. predicted: elasticities by capacity and seed. after:
    perturbed without the limit that was named first, None where nobody looked; then gain and real,
    of the fix, are not numbers. run: on what; it has to be there when one asks what is right. low,
    high: the interval of gain."""

    scenario: Scenario
    verdict: Verdict
    truth: Perturbed
    predicted: dict[str, tuple[float, ...]]
    after: Perturbed | None
    gain: float
    real: float
    run: Run = field(default=run, repr=False, compare=False)
    low: float = math.nan
    high: float = math.nan

    @property
    def names(self) -> tuple[str, ...]:
        """What the verdict names."""
        return tuple(r.value for r in self.verdict.constraint)

    @cached_property
    def right(self) -> bool:
        """Whether what is named binds."""
        return bound(self.truth, self.names, self.after, self.run)

    @cached_property
    def next_right(self) -> bool:
        """Whether what the verdict calls next binds without the first."""
        then = [r.value for r in self.verdict.next]
        return bool(self.names) and bound(self.after, then, None, self.run)

    @property
    def strict(self) -> bool:
        """Whether every name lies within the interval of the largest: a second one, too."""
        return bool(self.names) and all(largest(self.truth, n) for n in self.names)

    @property
    def confident_wrong(self) -> bool:
        """Wrong, and sure of it."""
        return self.verdict.sure and not self.right

    @property
    def error(self) -> float:
        """How far the predicted speed-up of the fix is from the one that was seen."""
        return abs(self.gain / self.real - 1)

    @property
    def covered(self) -> bool:
        """Whether the speed-up that was seen lies in the interval of the predicted one."""
        return self.low <= self.real <= self.high

    def off(self, name: str) -> Interval:
        """Predicted less perturbed elasticity, seed by seed."""
        pairs = zip(self.predicted[name], self.truth.elasticities[name], strict=True)
        return Interval.of([p - e for p, e in pairs])

    @property
    def apart(self) -> tuple[str, ...]:
        """Whose predicted and perturbed elasticities differ by more than their interval."""
        return tuple(n for n in self.predicted if not _zero(self.off(n), SLACK))

    @property
    def agrees(self) -> bool:
        """Whether both are the same vector."""
        return not self.apart

    @property
    def within(self) -> bool:
        """The same, with intervals as wide as they come: noise excuses here."""
        return all(_zero(self.off(n), SLACK, math.inf) for n in self.predicted)


def bound(truth: Perturbed, names: Sequence[str], after: Perturbed | None, run: Run = run) -> bool:
    """Whether these are what binds. after: without the first; where it is None, found here by run,
    if need be."""
    binding = [name for name in names if largest(truth, name)]
    if not binding:
        return False
    if len(names) == 1 or all(largest(truth, name, CLOSE) for name in names):
        return True
    if after is None:
        # Whether it stands right behind the first is soon known; what binds then takes many runs.
        less = without(truth.scenario, names[0])
        if _gain(truth, [run(less, seed).x for seed in truth.seeds]) >= BEHIND:
            return False
        after = perturb(less, truth.seeds, least=MINOR, run=run)
    return _gain(truth, [a.x for a in after.base]) < BEHIND and largest(after, names[1])


def _gain(truth: Perturbed, x: Sequence[float]) -> float:
    """x over the throughput with nothing changed, in the mean over the seeds."""
    return fmean(more / before.x for more, before in zip(x, truth.base, strict=True))


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


def _zero(off: Interval, slack: float, wide: float = WIDE) -> bool:
    return abs(off.value) <= max(slack, min(off.high - off.value, wide))


def largest(truth: Perturbed, name: str, part: float = 1.0) -> bool:
    """Whether a share is that part of the largest, or within the interval of the difference."""
    if name not in truth.shares:
        return False
    pairs = zip(truth.shares[truth.largest], truth.shares[name], strict=True)
    behind = Interval.of([part * a - b for a, b in pairs])
    return behind.value <= min(behind.high - behind.value, WIDE)


def judge(
    scenario: Scenario,
    seeds: Sequence[int],
    run: Run = run,
    cut: float = CUT,
    least: float = LEAST,
    whole: bool = True,
    source: str = VIRTUAL,
) -> Seen:
    """Run, diagnose, perturb, remove what was named, and fix it. run, cut, least: see `perturb`;
    whole: False for the constraint alone; source: of what is measured."""
    truth = perturb(scenario, seeds, cut, least, run)
    caps, stack = capacities(scenario), stack_of(seen_together(truth.base), together(truth.base))
    measured = Estimate.of([r.x for r in truth.base], "tok/s", source)
    stacks = [stack_of(r.seen, r.counts) for r in truth.base]
    verdict = diagnose(stack, caps, measured=measured, windows=stacks)
    predicted = {
        name: tuple(foreseen(s, caps, scenario, name, factor) for s in stacks)
        for name, factor in truth.factors.items()
        if name in set(Resource)
    }
    found = Seen(scenario, verdict, truth, predicted, None, math.nan, math.nan, run)
    if not verdict.constraint or not whole:
        return found
    first = verdict.constraint[0]
    after = perturb(without(scenario, first.value), seeds, least=MINOR, run=run)
    better, factor = scaled(scenario, first.value, RAISE)
    gains = [run(better, s).x / r.x for s, r in zip(seeds, truth.base, strict=True)]
    gain = whatif(verdict, more(first, factor)).gain
    return replace(
        found, after=after, gain=gain.value, real=median(gains), low=gain.low, high=gain.high
    )
