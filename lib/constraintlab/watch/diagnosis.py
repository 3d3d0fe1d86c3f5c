"""`Diagnosis`: a verdict on an attached server, with how far to trust it and what to do."""

from __future__ import annotations

from dataclasses import dataclass, replace

from constraintlab.limits.resource import Resource
from constraintlab.limits.verdict import Verdict
from constraintlab.watch.advice import to_try
from constraintlab.watch.facts import Facts
from constraintlab.watch.late import Late

INSUFFICIENT = "insufficient evidence"

FEW = 3
"""Looks below which counted work tells nothing either."""


@dataclass(frozen=True)
class Diagnosis:
    """verdict: with empty shares and worth where the work is not counted. confidence: `high`,
    `medium`, `low`; empty without a verdict. asks: what to switch on to know more. notes: what a
    reader must know of the window. late: promises, and whether they are kept.
    """

    verdict: Verdict
    confidence: str
    asks: tuple[str, ...]
    facts: Facts
    family: str = ""
    seconds: float = 0.0
    looks: int = 0
    gaps: int = 0
    notes: tuple[str, ...] = ()
    late: tuple[Late, ...] = ()

    @property
    def known(self) -> bool:
        """Whether there is a verdict."""
        return self.verdict.outcome != INSUFFICIENT

    @property
    def tries(self) -> tuple[str, ...]:
        """What to do about what is named."""
        return tuple(t for r in self.verdict.constraint for t in to_try(r, self.family))

    def as_dict(self) -> dict:
        """As `constraintlab diagnose --json` prints it; its help says what each key means."""
        readings = self.facts.readings
        return {
            "outcome": self.verdict.outcome,
            "constraint": [r.value for r in self.verdict.constraint],
            "runner_up": [r.value for r in self.verdict.next],
            "confidence": self.confidence,
            "evidence": list(self.verdict.evidence),
            "try": list(self.tries),
            "switch_on": list(self.asks),
            "late": [promise.as_dict() for promise in self.late],
            "notes": list(self.notes),
            "server": self.family,
            "window": {"seconds": self.seconds, "looks": self.looks, "gaps": self.gaps},
            "facts": {n: {"value": r.value, "source": r.source} for n, r in readings.items()},
            "engines": {n: dict(p) for n, p in self.facts.parts.items()},
            "verdict": self.verdict.as_dict(),
        }


def with_counted(found: Diagnosis, counted: Verdict | None) -> Diagnosis:
    """The same with what a composed model makes of counted work: shares, worth, a prediction.

    Where gauges and clients were not enough it is the verdict. Where it names something else, both
    are named, the evidence of gauges and clients first; where it names the offered load alone, that
    is evidence, and no second name for a link or a reader. Where its prediction is far from what
    was measured it is left out, and that is said.
    """
    if counted is None or not counted.constraint or found.looks < FEW:
        return found
    if not counted.fits:
        off = f"{counted.disagreement:.0%}"
        note = f"the model of counted work is {off} away from what was measured: it is left out"
        return replace(found, notes=(*found.notes, note))
    if not found.known:
        verdict = replace(counted, evidence=(*found.verdict.evidence, *counted.evidence))
        return replace(found, verdict=verdict, confidence="medium")
    first, theirs = found.verdict.constraint[0], counted.constraint[0]
    if theirs is Resource.DEMAND is not first:
        # What its work leaves to others: its shares are of an engine that is not what binds.
        room = "by counted work the engine could do more than came"
        verdict = replace(found.verdict, evidence=(*found.verdict.evidence, room))
        return replace(found, verdict=verdict)
    names = tuple(dict.fromkeys((first, *counted.constraint[:1], *found.verdict.constraint)))[:2]
    evidence, sure = list(found.verdict.evidence), found.confidence
    if theirs is first:
        names = tuple(dict.fromkeys((first, *counted.constraint[1:])))
    elif first is not Resource.DEMAND:
        share = counted.shares[theirs]
        ours, worth = counted.shares.get(first, 0.0), counted.worth.get(first, 1.0)
        evidence.append(
            f"by counted work {theirs.label} has the largest share, {share:.0%}; {first.label} has "
            f"{ours:.0%}, and without that limit it would be × {worth:.2f}"
        )
        sure = "medium" if sure == "high" else sure
    else:
        names = (first,)
    verdict = replace(
        counted, outcome=found.verdict.outcome, constraint=names,
        evidence=tuple(dict.fromkeys([*evidence, *counted.evidence])),
        sources={**found.verdict.sources, **counted.sources},
    )  # fmt: skip
    return replace(found, verdict=verdict, confidence=sure)
