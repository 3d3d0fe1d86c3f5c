"""The migration map's right half: what each fix gave, beside what the tool predicted."""

from __future__ import annotations

import math

from constraintlab.course.forecast import Forecast
from constraintlab.course.migration import Migration, rows
from constraintlab.limits.estimate import Estimate
from constraintlab.panel.charts.theme import part
from constraintlab.panel.palette import THEMES

WIDE = 200
"""Pixels."""


def gains(found: Migration, theme: str, row: float, names: float) -> dict:
    """A part of a Vega-Lite spec, on a log axis. row: pixels from row to row; names: how far left
    of it the fixes' names begin."""
    import altair as alt

    def layer(values):
        return alt.Chart(alt.InlineData(values=values))

    c, dots, rules = THEMES[theme], [], []
    for i, (_, fix) in enumerate(rows(found)):
        for e, kind, off in (
            ((fix.predicted, "predicted", -3), (fix.measured, "measured", 3))
            if (fix and _drawable(fix))
            else ()
        ):
            at = row * (i + 0.5) + off
            dots.append({"x": e.value, "y": at, "kind": kind})
            if e.low > 0 and math.isfinite(e.high):
                rules.append({"x": e.low, "x2": e.high, "y": at, "kind": kind})
    ends = [d["x"] for d in dots] + [r[k] for r in rules for k in ("x", "x2")]
    low, high = min([0.7, *(0.9 * e for e in ends)]), max([2.5, *(1.1 * e for e in ends)])
    ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if low <= t <= high]
    axis = alt.Axis(values=ticks, labelExpr="'×' + format(datum.value, '~g')")
    scale = alt.Scale(type="log", domain=[low, high], nice=False)
    x = alt.X("x:Q", axis=axis, title="gain, × of throughput before", scale=scale)
    tall = row * len(rows(found))
    over = alt.Axis(title="fix", titleAngle=0, titleAlign="left", titleX=-names, titleY=-9,
                    titleBaseline="middle", labels=False, ticks=False, domain=False,
                    grid=False)  # fmt: skip
    y = alt.Y("y:Q", axis=over, scale=alt.Scale(domain=[0, tall], reverse=True, nice=False))
    one = layer([{"x": 1}]).mark_rule(color=c["quiet"]).encode(x=x)
    layers = [one, layer(rules).mark_rule(color=c["quiet"], strokeWidth=1.5).encode(
        x=x, x2="x2:Q", y=y)]  # fmt: skip
    for kind, fill in (("predicted", c["page"]), ("measured", c["text"])):
        layers.append(layer([d for d in dots if d["kind"] == kind]).mark_point(
            shape="circle", size=46, fill=fill, stroke=c["text"], opacity=1).encode(
            x=x, y=y))  # fmt: skip
    shown = [one for one in layers if one.data.values]
    return part(alt.layer(*shown).properties(width=WIDE, height=tall))


def _drawable(fix: Forecast) -> bool:
    both: tuple[Estimate, ...] = (fix.predicted, fix.measured)
    return all(math.isfinite(e.value) and e.value > 0 for e in both)
