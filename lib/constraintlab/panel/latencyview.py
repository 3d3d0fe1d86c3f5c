"""Latencies on their way to the page: the axes, the looks of the curves, points as bytes.

The time axis is logarithmic. The other is the share of requests this fast or faster, stretched so
that each further nine has the same room (0%, 90%, 99%, 99.9%), or the tail would be a hairline.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from constraintlab.panel.latency import PERCENTILES, Curve, Latency, needs
from constraintlab.panel.latencytitle import cells, columns, facts, title
from constraintlab.panel.maps import Packed
from constraintlab.panel.palette import kind
from constraintlab.panel.streamtitle import wait

LEVELS = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999)
"""Percents that have a line of their own."""

LEAST_NINES, MOST_NINES = 2.0, 5.0

DECADES = 5
"""The time axis begins at most so many powers of ten below its end."""

TICKS = tuple(float(f"{s}e{e}") for e in range(-7, 6) for s in (1, 2, 5))


@dataclass(frozen=True)
class Look:
    """A curve's: place of its tone in `palette.TONES`, dash, width in pixels."""

    tone: int
    dash: tuple[int, ...]
    wide: float


LOOKS = (Look(0, (1, 0), 2.25), Look(1, (7, 3), 2), Look(0, (2, 3), 2), Look(1, (9, 3, 2, 3), 1.75))
"""By a curve's place. No resource's colour: these are requests."""


def nines(beyond: float) -> float:
    """Where a share that is exceeded by `beyond` of all stands: 0 for 1, 1 for 10%, 2 for 1%."""
    return -math.log10(beyond) if beyond > 0 else math.inf


def top(latency: Latency) -> float:
    """Nines at the top of the axis: what the most samples reach, in quarters."""
    most = max((c.n for c in latency.curves), default=1)
    return min(max(math.ceil(4 * math.log10(max(most, 1))) / 4, LEAST_NINES), MOST_NINES)


def levels(latency: Latency) -> list[tuple[float, str]]:
    """(nines, text) of the lines across."""
    end = top(latency)
    found = [(nines(1 - p / 100), f"{p:g}%") for p in LEVELS]
    return [(at, text) for at, text in found if at <= end + 1e-6]


def span(latency: Latency) -> tuple[float, float]:
    """Seconds at both ends of the time axis: they hold all samples, or the upper five decades."""
    ends = [float(c.samples[-1]) for c in latency.drawn]
    begins = [float(c.samples[0]) for c in latency.drawn]
    if latency.slo is not None:
        ends.append(latency.slo)
        begins.append(latency.slo)
    high = next((t for t in TICKS if t > max(ends, default=0.0) and t > 1e-6), TICKS[-1])
    low = max(min(begins, default=0.0), high / 10**DECADES)
    below = (t for t in TICKS if t <= low * (1 + 1e-9) and t < high)
    return max(below, default=TICKS[0]), high


def axes(latency: Latency) -> tuple[str, str]:
    """What stands along the time axis and along the other one."""
    return f"{latency.name}, seconds on a log axis", f"{latency.of}s this fast or faster, %"


def ticks(latency: Latency) -> list[tuple[float, str]]:
    """(seconds, text) on the time axis."""
    low, high = span(latency)
    wide = high / low > 150
    found = [t for t in TICKS if low <= t <= high]
    return [(t, _tick(t)) for t in found if not wide or f"{t:e}".startswith("1.0")]


def _tick(seconds: float) -> str:
    for size, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= 0.999 * size:
            return f"{seconds / size:.0f} {unit}"
    return wait(seconds)


def marks(c: Curve) -> list[tuple[float, float]]:
    """(seconds, nines) of the percentiles that are known."""
    return [(c.at(p), nines(1 - p / 100)) for p in PERCENTILES if c.n >= needs(p)]


def pack(latency: Latency | None) -> Packed:
    """(head, buffers): a curve's `points` as 64-bit floats; an empty head where none is done."""
    if latency is None or not latency.drawn:
        return {}, []
    finding, shows = title(latency)
    head = {
        "finding": finding,
        "shows": shows,
        "facts": facts(latency),
        "span": list(span(latency)),
        "ticks": [list(t) for t in ticks(latency)],
        "top": top(latency),
        "levels": [list(at) for at in levels(latency)],
        "axes": list(axes(latency)),
        "columns": columns(latency),
        "curves": [
            {"name": c.name, "tone": look.tone, "dash": list(look.dash), "wide": look.wide,
             "cells": cells(latency, c), "marks": [list(m) for m in marks(c)]}
            for c, look in zip(latency.curves, LOOKS, strict=False)
        ],
        "slo": None if latency.slo is None else [latency.slo, f"SLO {wait(latency.slo)}"],
        "sources": [{"kind": kind(latency.source), "what": latency.name}],
    }  # fmt: skip
    return head, [c.points().tobytes() for c in latency.curves]
