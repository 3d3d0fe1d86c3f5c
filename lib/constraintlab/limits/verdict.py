"""`Verdict`: what binds now, what would bind next, what removing each limit is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from constraintlab.limits.capacities import Capacities
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource
from constraintlab.limits.stack import Stack

Outcome = Literal["bound", "demand", "insufficient evidence"]

DISAGREE = 0.25
"""Above this relative distance between predicted and measured throughput, a verdict says so."""


@dataclass(frozen=True)
class Verdict:
    """The answer to "what limits this?", with everything needed to doubt it.

    `constraint` names the resource with the largest share, and a second one when it is close
    or stands right behind; it is empty for `insufficient evidence`. `next` is the constraint
    once the first of them no longer limits. `shares` sum to 1; `worth[r]` is X without limit
    r divided by X (≥ 1, may be infinite). `predicted` and `measured` are throughputs in
    `unit`. `evidence` are short sentences, and so are `doubts`, each a reason why it may be
    another resource; `sources` says where each input came from. `stack` and `caps` are what it
    was given on, which `whatif` needs; they do not go into files.
    """

    outcome: Outcome
    constraint: tuple[Resource, ...]
    next: tuple[Resource, ...]
    shares: Mapping[Resource, float]
    worth: Mapping[Resource, float]
    predicted: float | None
    measured: Estimate | None
    unit: str = "tok/s"
    evidence: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    stack: Stack | None = field(default=None, compare=False, repr=False)
    caps: Capacities | None = field(default=None, compare=False, repr=False)

    @property
    def x(self) -> float | None:
        """Throughput now: measured when it was, else predicted."""
        known = self.measured and not self.measured.missing
        return self.measured.value if known else self.predicted

    @property
    def x_without(self) -> Mapping[Resource, float]:
        """Throughput if one limit vanished, by resource, from X as `x` gives it."""
        return {r: self.x * w for r, w in self.worth.items()} if self.x else {}

    @property
    def disagreement(self) -> float | None:
        """|predicted ÷ measured − 1|; infinite at a standstill, None when one is absent."""
        if not self.measured or not self.predicted or not math.isfinite(self.predicted):
            return None
        if not math.isfinite(self.measured.value):
            return None
        return abs(self.predicted / self.measured.value - 1) if self.measured.value else math.inf

    @property
    def fits(self) -> bool:
        """False when the prediction is over 25% away from the measurement."""
        return (self.disagreement or 0) <= DISAGREE

    @property
    def sure(self) -> bool:
        """False when evidence is missing, the prediction does not fit, or there are doubts."""
        return self.outcome != "insufficient evidence" and self.fits and not self.doubts

    def as_dict(self) -> dict:
        """Plain data for JSON, recordings and the panel; infinities become null."""
        finite = {r.value: (None if w == float("inf") else w) for r, w in self.worth.items()}
        return {
            "outcome": self.outcome,
            "constraint": [r.value for r in self.constraint],
            "next": [r.value for r in self.next],
            "shares": {r.value: s for r, s in self.shares.items()},
            "worth": finite,
            "predicted": self.predicted,
            "measured": self.measured.as_dict() if self.measured else None,
            "unit": self.unit,
            "evidence": list(self.evidence),
            "missing": list(self.missing),
            "doubts": list(self.doubts),
            "sources": dict(self.sources),
        }

    @classmethod
    def from_dict(cls, d: Mapping) -> Verdict:
        return cls(
            outcome=d["outcome"],
            constraint=tuple(Resource(r) for r in d["constraint"]),
            next=tuple(Resource(r) for r in d["next"]),
            shares={Resource(r): s for r, s in d["shares"].items()},
            worth={Resource(r): (float("inf") if w is None else w) for r, w in d["worth"].items()},
            predicted=d["predicted"],
            measured=Estimate.from_dict(d["measured"]) if d["measured"] else None,
            unit=d["unit"],
            evidence=tuple(d["evidence"]),
            missing=tuple(d["missing"]),
            doubts=tuple(d.get("doubts", ())),
            sources=dict(d["sources"]),
        )
