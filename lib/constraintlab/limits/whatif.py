"""What-if: predict what a fix is worth, what binds then and how sure that is, before doing it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from constraintlab.limits.diagnose import diagnose
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.fixes import Fix
from constraintlab.limits.resource import Resource, bind
from constraintlab.limits.uncertainty import itself, left_out, spread
from constraintlab.limits.verdict import Verdict
from constraintlab.limits.worth import ratio


@dataclass(frozen=True)
class Outlook:
    """What a fix is predicted to do.

    x: throughput with it, in the verdict's unit; gain: that over the throughput now, in ×; both
    with an interval, see `uncertainty.py`. after: the verdict with the fix, its `next` too. note:
    why it changes nothing, where it does not.
    """

    fix: Fix
    x: Estimate
    gain: Estimate
    after: Verdict
    note: str = ""

    @property
    def constraint(self) -> tuple[Resource, ...]:
        """What binds with the fix: the next constraint, and a second name where two are close."""
        return self.after.constraint

    @property
    def binds(self) -> str:
        """The same in words."""
        return " and ".join(r.label for r in self.constraint) or "nothing that was counted"

    def __str__(self) -> str:
        g = self.gain
        said = f"×{g.value:.2f}"
        if f"{g.low:.2f}" != f"{g.high:.2f}":
            said += f" ({g.low:.2f} … {g.high:.2f})"
        return f"{said}, then {self.binds} {bind(*self.constraint)}" + (
            f"; {self.note}" if self.note else ""
        )


def whatif(verdict: Verdict, fix: Fix) -> Outlook:
    """The outlook of `fix` on what a verdict was given on.

    x starts from what was measured, where it was. ValueError for a verdict that rests on nothing
    (`insufficient evidence`, or read from a file), and for a fix that needs a capacity of this
    machine which nobody measured.
    """
    stack, caps = verdict.stack, verdict.caps
    if stack is None or caps is None or verdict.predicted is None:
        why = (
            "; ".join(verdict.missing)
            or "it carries no stack, as one from a file or on an attached server"
        )
        raise ValueError(f"{fix.name}: no what-if on this verdict: {why}")
    changed = fix.apply(stack, caps)
    after = diagnose(*changed, unit=verdict.unit, sources=verdict.sources)
    unknown = [m for m in after.missing if not m.startswith("no demand")]
    if unknown:
        raise ValueError(f"{fix.name}: can't be predicted on this machine: {'; '.join(unknown)}")
    gain = ratio(math.inf if after.predicted is None else after.predicted, verdict.predicted)
    low, high = spread(stack, caps, fix)
    off = left_out(gain, verdict) * itself(gain)
    seen = Estimate(gain, min(gain, low) / off, max(gain, high) * off, "×", "modelled")
    note = "" if fix.touches(stack) else "there is nothing here that it would change"
    return Outlook(fix, _throughput(verdict, seen), seen, after, note)


def _throughput(verdict: Verdict, gain: Estimate) -> Estimate:
    """X now times the gain; the interval is of the prediction, not of how X came and went."""
    now = verdict.x
    if not now:
        return Estimate(0.0, 0.0, 0.0, verdict.unit, "modelled")
    return Estimate(now * gain.value, now * gain.low, now * gain.high, verdict.unit, "modelled")
