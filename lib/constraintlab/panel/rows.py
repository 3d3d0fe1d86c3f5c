"""From verdicts, ceilings and points to the rows that the charts draw."""

from __future__ import annotations

import math
from collections.abc import Sequence

from constraintlab.limits.resource import Resource
from constraintlab.limits.verdict import Verdict
from constraintlab.panel.palette import COLOURS, named
from constraintlab.panel.parts import RooflinePoint
from constraintlab.panel.sentence import compact

ALWAYS = (Resource.COMPUTE, Resource.BANDWIDTH, Resource.HOST)
LONGEST = 8.0
"""A bar ends at this many times the throughput now; its label says the number."""


def worth(v: Verdict | None) -> list[dict]:
    """One row a resource: throughput now, without its limit, and its share; largest share first."""
    if v is None or not v.worth or not v.x or not math.isfinite(v.x):
        return []
    shown = [r for r in Resource if v.shares.get(r, 0) > 0 or v.worth[r] > 1.005 or r in ALWAYS]
    shown.sort(key=lambda r: (-v.shares.get(r, 0), -min(v.worth[r], 1e9)))
    rows = []
    for order, r in enumerate(shown):
        changed = v.worth[r] >= 1.005
        share = v.shares.get(r, 0.0)
        top = r in v.constraint
        rows.append(
            {
                "order": order,
                "label": named(r),
                "colour": COLOURS[r],
                "now": v.x,
                "to": v.x * min(v.worth[r], LONGEST),
                "text": compact(v.x * v.worth[r]) if changed else "no change",
                "share": f"{share:.2f}" + (" ◀" if top else ""),
                "top": top,
            }
        )
    return rows


def _finite(*values: float) -> bool:
    return all(math.isfinite(v) and v > 0 for v in values)


def roofline(
    ceilings: Sequence[tuple[str, float]], bandwidth: float, points: Sequence[RooflinePoint]
) -> tuple[list[dict], list[dict]]:
    """(roof, dots): the two-part roof of each ceiling, and the points under it."""
    ceilings = [(name, rate) for name, rate in ceilings if _finite(rate)]
    if not ceilings or not _finite(bandwidth):
        return [], []
    peak = max(rate for _, rate in ceilings)
    kept = [p for p in points if _finite(p.intensity, p.flops_per_s)]
    ridge = peak / bandwidth
    low = min([ridge / 100, *(p.intensity / 2 for p in kept)])
    high = max([ridge * 30, *(p.intensity * 3 for p in kept)])
    roof = [
        {"line": "memory", "x": low, "y": low * bandwidth, "label": "", "colour": "bandwidth"},
        {"line": "memory", "x": ridge, "y": peak, "label": "", "colour": "bandwidth"},
    ]
    for name, rate in ceilings:
        label = f"{name} {compact(rate)}FLOP/s"
        roof.append({"line": name, "x": rate / bandwidth, "y": rate, "label": "",
                     "colour": "compute"})  # fmt: skip
        roof.append({"line": name, "x": high, "y": rate, "label": label, "colour": "compute"})
    middle = math.sqrt(low * ridge)
    roof.append({"line": "label", "x": middle, "y": middle * bandwidth,
                 "label": f"{compact(bandwidth)}B/s", "colour": "bandwidth"})  # fmt: skip
    dots = [
        {"x": p.intensity, "y": p.flops_per_s, "name": p.name, "ghost": p.ghost} for p in kept
    ]
    return roof, dots
