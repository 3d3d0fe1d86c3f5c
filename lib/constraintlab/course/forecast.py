"""`Forecast`: a fix's predicted gain, kept before the fix is done, beside what it then gave.

The predictor is scored as a learner is: over all labs, how far off it was, how often the
measurement lay in its interval, how often it named what bound next.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import median

from constraintlab.course.progress import Progress
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.fixes import Fix
from constraintlab.limits.resource import Resource
from constraintlab.limits.verdict import Verdict
from constraintlab.limits.whatif import Outlook, whatif

PART = "forecasts"
"""Where a lab's progress keeps them, by key."""

Gain = Estimate | float
"""In ×; a plain number, or one without a spread, was measured once."""

ONCE = 0.05
"""Taken for its spread, either way: two runs of one thing differ by this beside neighbours."""

Outcome = Gain | tuple[Gain, Verdict]
"""A measured gain, and the verdict on the run with the fix where there was one."""


def _measured(gain: Gain) -> Estimate:
    """With a spread, its own or the one that is assumed; what was modelled stays as it is."""
    if isinstance(gain, Estimate) and (gain.low < gain.high or gain.source.startswith("modelled")):
        return gain
    x = gain.value if isinstance(gain, Estimate) else gain
    source = f"measured: once, ±{ONCE:.0%} assumed"
    return Estimate(x, x * (1 - ONCE), x * (1 + ONCE), "×", source)


@dataclass(frozen=True)
class Forecast:
    """predicted, measured: gains in ×; then, bound: what was to bind with the fix, and what did.

    measured is None until the fix is done; bound is empty where nobody looked. before: what bound
    when it was foreseen.
    """

    fix: str
    predicted: Estimate
    then: tuple[Resource, ...]
    measured: Estimate | None = None
    bound: tuple[Resource, ...] = ()
    before: tuple[Resource, ...] = ()

    @classmethod
    def of(cls, outlook: Outlook, verdict: Verdict) -> Forecast:
        found = cls(outlook.fix.name, outlook.gain, outlook.constraint)
        return replace(found, before=verdict.constraint)

    def with_outcome(self, outcome: Outcome) -> Forecast:
        gain, verdict = outcome if isinstance(outcome, tuple) else (outcome, None)
        bound = verdict.constraint if verdict else ()
        return replace(self, measured=_measured(gain), bound=bound)

    @property
    def tried(self) -> bool:
        """Whether somebody did it: a gain on a virtual clock is held against no machine."""
        return self.measured is not None and not self.measured.source.startswith("modelled")

    @property
    def error(self) -> float:
        """Predicted ÷ measured − 1; NaN until it is measured."""
        if self.measured is None or not self.measured.value:
            return math.nan
        return self.predicted.value / self.measured.value - 1

    @property
    def inside(self) -> bool:
        """Whether the interval of the prediction and the spread of the measurement meet."""
        m, p = self.measured, self.predicted
        return m is not None and p.low <= m.high and m.low <= p.high

    @property
    def right(self) -> bool | None:
        """Whether what bound was named, one of two at least; None where nobody looked."""
        return bool(set(self.then) & set(self.bound)) if self.measured and self.bound else None

    def as_dict(self) -> dict:
        return {
            "fix": self.fix,
            "predicted": self.predicted.as_dict(),
            "then": [r.value for r in self.then],
            "measured": self.measured.as_dict() if self.measured else None,
            "bound": [r.value for r in self.bound],
            "before": [r.value for r in self.before],
        }

    @classmethod
    def from_dict(cls, d: Mapping) -> Forecast:
        """Reads what `as_dict` wrote; KeyError, TypeError or ValueError for anything else."""
        return cls(
            str(d["fix"]),
            Estimate.from_dict(d["predicted"]),
            tuple(Resource(r) for r in d["then"]),
            Estimate.from_dict(d["measured"]) if d["measured"] else None,
            tuple(Resource(r) for r in d["bound"]),
            tuple(Resource(r) for r in d.get("before", ())),
        )


@dataclass(frozen=True)
class Score:
    """How good the predictor was: n fixes, the median of |error|, how many gains were in their
    intervals, and of how many `looked` at the next constraint was `right`."""

    n: int = 0
    error: float = math.nan
    inside: int = 0
    right: int = 0
    looked: int = 0

    @classmethod
    def of(cls, forecasts: Iterable[Forecast]) -> Score:
        """Of those that were measured; one without a finite error is as far off as can be."""
        done = [f for f in forecasts if f.tried]
        errors = [abs(f.error) if math.isfinite(f.error) else math.inf for f in done]
        named = [f.right for f in done if f.right is not None]
        return cls(
            len(done), median(errors) if errors else math.nan,
            sum(f.inside for f in done), sum(named), len(named),
        )  # fmt: skip

    def __str__(self) -> str:
        if not self.n:
            return "No prediction was measured yet."
        fixes = "1 fix" if self.n == 1 else f"{self.n} fixes"
        named = f"; it named what bound next in {self.right} of {self.looked}" * bool(self.looked)
        return (
            f"The predictor so far: {fixes}, median error {self.error:.0%}, {self.inside} inside "
            f"the interval{named}."
        )


class Forecasts:
    """One lab's forecasts, kept in the learner's progress."""

    def __init__(self, progress: Progress, lab: str) -> None:
        self.progress, self.lab = progress, lab

    def foresee(self, key: str, verdict: Verdict, fix: Fix) -> Outlook:
        """The outlook of a fix, kept before it is done. One with that key from before is gone."""
        outlook = whatif(verdict, fix)
        self._keep(key, Forecast.of(outlook, verdict))
        return outlook

    def outcome(self, key: str, outcome: Outcome) -> Forecast:
        """What the fix gave. ValueError where nothing was foreseen under that key."""
        found = kept(self.progress, self.lab).get(key)
        if found is None:
            raise ValueError(f"nothing was foreseen under {key!r}: run that cell first")
        done = found.with_outcome(outcome)
        self._keep(key, done)
        return done

    def _keep(self, key: str, forecast: Forecast) -> None:
        self.progress.put(self.lab, PART, key, forecast.as_dict())


def kept(progress: Progress, lab: str) -> dict[str, Forecast]:
    """What one lab kept, by key; what this version can't read is no forecast."""
    found = {}
    for key, data in progress.lab(lab).get(PART, {}).items():
        try:
            found[key] = Forecast.from_dict(data)
        except (KeyError, TypeError, ValueError):
            continue
    return found


def score(progress: Progress) -> Score:
    """Of all labs of this learner."""
    labs = (kept(progress, f"{i:02d}").values() for i in range(9))
    return Score.of(f for lab in labs for f in lab)
