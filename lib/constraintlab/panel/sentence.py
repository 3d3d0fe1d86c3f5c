"""The verdict as a sentence, and chart titles that state their finding."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from constraintlab.limits.resource import Resource
from constraintlab.limits.verdict import Verdict
from constraintlab.panel.palette import named
from constraintlab.panel.parts import RooflinePoint


@dataclass(frozen=True)
class Piece:
    """A stretch of a sentence; a resource's name carries its mark and colour."""

    text: str
    resource: Resource | None = None
    strong: bool = False

    def as_dict(self) -> dict:
        return {"t": self.text, "r": self.resource, "b": self.strong}


def compact(value: float | None) -> str:
    """Three digits and an SI prefix: 203, 4.77 k, 1.20 M; n/a for what is no number."""
    if value is None or math.isnan(value):
        return "n/a"
    if math.isinf(value):
        return "unbounded"
    for limit, prefix in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{prefix}"
    return f"{value:.3g}"


def sentence(v: Verdict | None) -> list[Piece]:
    """What binds, how sure that is, what a fix is worth and what binds then."""
    if v is None:
        return [Piece("Nothing has run yet.")]
    if v.outcome == "insufficient evidence":
        return [
            Piece("Insufficient evidence.", strong=True),
            Piece(f" Missing: {'; '.join(v.missing)}."),
        ]
    rate = f"{compact(v.x)} {v.unit}"
    if v.outcome == "demand":
        return [
            Piece(named(Resource.DEMAND), Resource.DEMAND, True),
            Piece(" is the limit: "),
            Piece(rate, strong=True),
            Piece(" arrive and are served."),
            *_then(v),
        ]
    if not v.sure:
        return [
            Piece("Not explained.", strong=True),
            Piece(f" Measured {rate}, the model says {compact(v.predicted)}. Its guess is "),
            Piece(named(v.constraint[0]), v.constraint[0], True),
            Piece(", but something that it does not count is at work."),
        ]
    modelled = f", model {compact(v.predicted)}" if v.measured and v.predicted else ""
    return [*_binds(v), Piece(": "), Piece(rate, strong=True), Piece(f"{modelled}."), *_then(v)]


def _binds(v: Verdict) -> Iterable[Piece]:
    first, *others = v.constraint
    yield Piece(named(first), first, True)
    if others and v.shares[others[0]] > 0.5 * v.shares[first]:
        yield Piece(" and ")
        yield Piece(named(others[0]), others[0], True)
        yield Piece(f" bind (shares {v.shares[first]:.2f} and {v.shares[others[0]]:.2f})")
        return
    yield Piece(f" binds (share {v.shares[first]:.2f})")
    if others:
        yield Piece(", ")
        yield Piece(named(others[0]), others[0], True)
        yield Piece(" right behind")


def _then(v: Verdict) -> Iterable[Piece]:
    worth = v.worth[v.constraint[0]]
    gain = "no limit in sight" if math.isinf(worth) else f"up to ×{worth:.1f}"
    if worth < 1.095 and not math.isinf(worth):
        gain = f"only ×{worth:.2f}"
    yield Piece(f" Without it {gain}")
    if v.next and not math.isinf(worth):
        yield Piece(", then ")
        yield Piece(named(v.next[0]), v.next[0], True)
        yield Piece(" binds")
    yield Piece(".")


def text(pieces: Sequence[Piece]) -> str:
    """The sentence as plain text."""
    return "".join(p.text for p in pieces)


def worth_title(v: Verdict | None) -> tuple[str, str]:
    """(finding, what the chart shows)."""
    shows = "if one limit vanished"
    if v is None or not v.worth or not v.x:
        return "No verdict yet", shows
    ranked = sorted(v.worth, key=lambda r: -v.worth[r])
    best, second = ranked[0], ranked[1]
    change = f"{compact(v.x)} → {compact(v.x_without[best])} {v.unit}"
    if v.worth[best] < 1.1:
        return "No single fix helps: the limits stand close together", shows
    if v.worth[second] < 1.1:
        return f"Only {best.label} would help: {change}", shows
    return f"A fix to {best.label} is worth most: {change}", shows


def roofline_title(
    ceilings: Sequence[tuple[str, float]], bandwidth: float, points: Sequence[RooflinePoint]
) -> tuple[str, str]:
    """(finding about the newest point, what the chart shows)."""
    shows = "FLOP/s over FLOP per byte"
    live = [p for p in points if not p.ghost]
    if not live or not ceilings:
        return "Roofline of this machine", shows
    point, peak = live[-1], max(rate for _, rate in ceilings)
    side = "bandwidth" if point.intensity * bandwidth < peak else "compute"
    return f"{point.name}: {point.flops_per_s / peak:.1%} of peak, under the {side} roof", shows
