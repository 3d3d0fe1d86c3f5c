"""Latencies in words: how far the tail lies from the middle, whose it is, and who meets the SLO."""

from __future__ import annotations

import math

from constraintlab.panel.latency import PERCENTILES, Curve, Latency, needs
from constraintlab.panel.numbers import percent
from constraintlab.panel.streamtitle import wait

ONE_IN = {99.0: "a hundred", 90.0: "ten"}
"""The percentiles that a title speaks of, the furthest first."""

LONG, SAME = 1.5, 1.1
"""A percentile is well above another by the first factor, about the same below the second."""


def title(latency: Latency) -> tuple[str, str]:
    """(finding, what the chart shows)."""
    shows = f"{latency.name}, share of {latency.of}s this fast or faster"
    left = sum(c.unfinished for c in latency.curves)
    if left:
        shows += f"; {left:,} more {'is' if left == 1 else 'are'} not done"
    if latency.now is not None:
        shows += f"; after {latency.now:.0f} s"
    curves = latency.drawn
    if not curves:
        return f"No {latency.of} is done yet", shows
    p = next((p for p in ONE_IN if all(c.n >= needs(p) for c in curves)), None)
    if p is None:
        few = min(curves, key=lambda c: c.n)
        whose = "" if len(curves) == 1 else f"{few.name}: "
        told = f"{whose}{_many(few.n, latency.of)} so far: p90 needs {needs(90.0)}"
    else:
        told = _alone(curves[0], p, latency.of) if len(curves) == 1 else _beside(curves, p)
    return told + _slo(latency, curves), shows


def _alone(c: Curve, p: float, of: str) -> str:
    far, middle = c.at(p), c.at(50.0)
    if far < LONG * middle:
        return f"p{p:g} is {wait(far)}, not far from p50 at {wait(middle)}"
    told = f"one {of} in {ONE_IN[p]} takes {wait(far)} or longer"
    if not middle:
        return told[0].upper() + told[1:]
    return f"p{p:g} is {fold(far / middle)} times p50: {told}"


def _beside(curves: tuple[Curve, ...], p: float) -> str:
    ranked = sorted(curves, key=lambda c: c.at(p))
    best, worst = ranked[0], ranked[-1]
    low, high = best.at(p), worst.at(p)
    if high < SAME * low:
        return f"p{p:g} is about the same for all: {wait(low)} to {wait(high)}"
    least, most = best.at(50.0), worst.at(50.0)
    told = f"p{p:g} of {worst.name} is {wait(high)}"
    told += (
        f", {fold(high / low)} times that of {best.name}" if low else f", that of {best.name} 0 s"
    )
    if not least:
        return told
    if most < least / SAME:
        return f"{told}, though its p50 is lower"
    alike = "is about the same" if most < SAME * least else f"is {fold(most / least)} times"
    return f"{told}; its p50 {alike}"


def _slo(latency: Latency, curves: tuple[Curve, ...]) -> str:
    if latency.slo is None:
        return ""
    met = [good(c, latency.slo) for c in curves]
    if len(curves) > 1:
        met = [f"{share} of {c.name}" for share, c in zip(met, curves, strict=True)]
    return f"; {', '.join(met)} within the SLO of {wait(latency.slo)}"


def good(c: Curve, slo: float) -> str:
    """The share that meets an SLO: `100%` only if all do."""
    share = c.meets(slo)
    if share < 0.9 or share == 1:
        return percent(share)
    return f"{math.floor(round(1e4 * share, 6) / 10) / 10:g}%"


def fold(factor: float) -> str:
    """`31`, `2.4`: how many times as long."""
    return f"{factor:,.0f}" if factor >= 9.95 else f"{factor:.1f}".removesuffix(".0")


def _many(n: int, of: str) -> str:
    return f"{n:,} {of}{'' if n == 1 else 's'}"


def columns(latency: Latency) -> list[str]:
    """The headings of the table beside the curves."""
    heads = ["n", *(f"p{p:g}" for p in PERCENTILES)]
    return heads if latency.slo is None else [*heads, f"≤ {wait(latency.slo)}"]


def cells(latency: Latency, c: Curve) -> list[str]:
    """A curve's row; a percentile that is withheld says why."""
    found = [f"{c.n:,}", *(wait(c.at(p)) if c.n >= needs(p) else f"n < {needs(p):,}"
                           for p in PERCENTILES)]  # fmt: skip
    if latency.slo is None:
        return found
    return [*found, good(c, latency.slo) if c.n else "n/a"]


def facts(latency: Latency) -> list[str]:
    """Each curve in words: `FCFS: n 400, p50 93 ms, …, p99.9 withheld: n 400 < 1,000`."""
    return [f"{c.name}: {', '.join(_facts(latency, c))}" for c in latency.curves]


def _facts(latency: Latency, c: Curve) -> list[str]:
    found = [f"n {c.n:,}"]
    for p in PERCENTILES:
        enough = c.n >= needs(p)
        why = f"withheld: n {c.n:,} < {needs(p):,}"
        found.append(f"p{p:g} {wait(c.at(p)) if enough else why}")
    if c.unfinished:
        found.append(f"{c.unfinished:,} not done")
    if latency.slo is not None and c.n:
        found.append(f"{good(c, latency.slo)} within {wait(latency.slo)}")
    return found


def text(latency: Latency) -> str:
    """All of it in words, for who sees no chart."""
    return f"{latency.name}: {title(latency)[0]}. {'; '.join(facts(latency))}."
