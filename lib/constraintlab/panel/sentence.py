"""The verdict as one or two sentences: what binds, how sure that is, what a fix would give."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from constraintlab.limits.resource import Resource, bind
from constraintlab.limits.verdict import Verdict
from constraintlab.panel.numbers import finite, percent, si, times
from constraintlab.panel.palette import named


@dataclass(frozen=True)
class Piece:
    """A stretch of a sentence; a resource's name carries its mark and colour."""

    text: str
    resource: Resource | None = None
    strong: bool = False

    def as_dict(self) -> dict:
        return {"t": self.text, "r": self.resource and self.resource.value, "b": self.strong}


def name(resource: Resource) -> Piece:
    return Piece(named(resource), resource, True)


def measured(v: Verdict) -> float | None:
    """Throughput as measured, None where it was not."""
    return v.measured.value if v.measured and finite(v.measured.value) else None


def now(v: Verdict) -> float | None:
    """Throughput now: measured, else predicted, else None."""
    found = measured(v)
    if found is None and finite(v.predicted):
        found = v.predicted
    return found


def sentence(v: Verdict | None) -> list[Piece]:
    """What a reader should know first, as pieces."""
    if v is None:
        return [Piece("Nothing has run yet: no verdict.")]
    if v.outcome == "insufficient evidence":
        return [Piece("Insufficient evidence: no verdict.", strong=True),
                Piece(f" Missing: {_listed(v.missing)}.")]  # fmt: skip
    if not v.constraint:
        return [Piece("No constraint named", strong=True), Piece(f" at {si(now(v), v.unit)}.")]
    if v.disagreement is not None and not v.fits:
        return list(_unsure(v))
    if v.outcome == "demand":
        return list(_demand(v))
    return [*_binds(v), Piece(": "), *_rate(v), *_then(v)]


def _rate(v: Verdict) -> Iterable[Piece]:
    yield Piece(si(now(v), v.unit), strong=True)
    if now(v) is None:
        yield Piece(": neither measured nor modelled.")
    elif measured(v) is None:
        yield Piece(", modelled, not measured.")
    elif finite(v.predicted):
        yield Piece(f", model {si(v.predicted)}.")
    else:
        yield Piece(".")


def _unsure(v: Verdict) -> Iterable[Piece]:
    seen, said = si(measured(v), v.unit), si(v.predicted, v.unit)
    if not measured(v):
        yield Piece("Nothing gets through", strong=True)
        yield Piece(f", where the model says {said}. It would name ")
        yield name(v.constraint[0])
        yield Piece(", but something that it does not count stands still.")
        return
    if v.predicted > measured(v):
        yield Piece(f"The model explains only {percent(measured(v) / v.predicted)} of the time",
                    strong=True)  # fmt: skip
        yield Piece(f": measured {seen}, model {said}. It would name ")
        yield name(v.constraint[0])
        yield Piece(", but something that it does not count costs the rest.")
        return
    yield Piece("The model does not explain this", strong=True)
    yield Piece(f": measured {seen}, more than the {said} that it thinks possible. It would name ")
    yield name(v.constraint[0])
    yield Piece(", but a demand is counted too high or a ceiling was probed too low.")


def _demand(v: Verdict) -> Iterable[Piece]:
    yield name(Resource.DEMAND)
    yield Piece(": ")
    yield from _rate(v)
    yield Piece(" Nothing in the stack binds; all that arrives is served.")
    room = v.worth.get(Resource.DEMAND)
    after = [r for r in v.next if r is not Resource.DEMAND]
    if finite(room) and room > 1.005 and after:
        yield Piece(f" There is room for {times(room)}, then ")
        yield name(after[0])
        yield Piece(f" {bind(after[0])}.")


def _binds(v: Verdict) -> Iterable[Piece]:
    first, *others = v.constraint
    share = v.shares.get(first)
    behind = v.shares.get(others[0]) if others else None
    yield name(first)
    if finite(share) and finite(behind) and behind > 0.5 * share:
        yield Piece(" and ")
        yield name(others[0])
        yield Piece(f" bind (shares {share:.2f} and {behind:.2f})")
        return
    yield Piece(f" {bind(first)} (share {share:.2f})" if finite(share) else f" {bind(first)}")
    if others:
        yield Piece(", ")
        yield name(others[0])
        yield Piece(" right behind")


def _then(v: Verdict) -> Iterable[Piece]:
    worth = v.worth.get(v.constraint[0])
    if worth is None or math.isnan(worth):
        return
    if math.isinf(worth):
        yield Piece(" Without this limit the model sees no other.")
        return
    only = "only " if worth < 1.095 else "up to "
    yield Piece(f" Without this limit {only}{times(worth)}")
    if v.next:
        yield Piece(", then ")
        yield name(v.next[0])
        yield Piece(f" {bind(v.next[0])}")
    yield Piece(".")


def _listed(items: Sequence[str]) -> str:
    return "; ".join(item.rstrip(".") for item in items) or "everything"


def text(pieces: Sequence[Piece]) -> str:
    """The sentence as plain text."""
    return "".join(p.text for p in pieces)
