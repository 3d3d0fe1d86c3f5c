"""A verdict on a scenario held against what perturbing that scenario shows.

A name alone must have the largest share, or one that lies within the interval of the difference
to it. Two names claim a near tie: one of them must have the largest share, and the other's reach
CLOSE of it, or stand right behind: without the first X gains less than BEHIND, and the second binds
next. An interval wider than WIDE excuses nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import fmean, median

from constraintlab.course.elasticity import WIDE, Elasticity, elasticities
from constraintlab.course.scenario_stack import capacities, stack_of, together
from constraintlab.limits.catalogue import more
from constraintlab.limits.diagnose import BEHIND, CLOSE, diagnose
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.verdict import Verdict
from constraintlab.limits.whatif import whatif
from constraintlab.scenarios.capacity import scaled, without
from constraintlab.scenarios.perturb import CUT, LEAST, Interval, Perturbed, perturb
from constraintlab.scenarios.run import Run, run
from constraintlab.scenarios.run import together as seen_together
from constraintlab.scenarios.scenario import Scenario

VIRTUAL = "modelled: the virtual clock"
REAL = "measured: a real stack, its device simulated"

SLACK = 0.1
"""Two elasticities that differ by no more are equal: a cut of a fifth shows no finer."""

MINOR = 0.25
"""Without a limit only the largest share is asked for: a smaller elasticity is none."""

RAISE = 2.0
"""What the fix of the constraint multiplies its capacity by."""


@dataclass(frozen=True)
class Seen:
    """A scenario's verdict and its truth. predicted: elasticities by capacity. after:
    perturbed without the limit that was named first, None where nobody looked; then gain and real,
    of the fix, are not numbers. run: on what; it has to be there when one asks what is right. low,
    high: the interval of gain."""

    scenario: Scenario
    verdict: Verdict
    truth: Perturbed
    predicted: Mapping[str, Elasticity]
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
        """Predicted less perturbed elasticity."""
        return self.predicted[name].off(self.truth.elasticities[name])

    @property
    def apart(self) -> tuple[str, ...]:
        """Whose predicted and perturbed elasticities differ by more than their interval."""
        return tuple(n for n in self.predicted if not _zero(self.off(n), SLACK))

    @property
    def point(self) -> bool:
        """Whether both are the same vector with what is usually assumed, and nothing else."""
        alone = {name: e.alone for name, e in self.predicted.items()}
        return replace(self, predicted=alone).agrees

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
    predicted = elasticities(truth, stacks, caps)
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
