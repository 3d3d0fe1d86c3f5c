"""Mean wait in one server's queue by its load: the formula's curve, and what was seen beside it.

Neutral tones: the resource colours mean a stack's resources and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from constraintlab.panel.charts.theme import config
from constraintlab.panel.palette import THEMES

CURVES = ([1, 0], [6, 3], [2, 3])
SHAPES = ("circle", "diamond", "square")


@dataclass(frozen=True)
class Point:
    """A mean wait that was seen at a load, in units of the mean service; low, high: its interval,
    equal to it where there is none."""

    name: str
    load: float
    wait: float
    low: float
    high: float


def spec(
    curves: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    points: Sequence[Point],
    title: str,
    theme: str,
) -> dict:
    """A Vega-Lite spec. curves: (name, [(load, mean wait ÷ mean service)]), three at most."""
    import altair as alt

    c = THEMES[theme]
    names = [name for name, _ in curves]
    rows = [{"name": n, "load": x, "wait": y} for n, xy in curves for x, y in xy]
    ends = [{"name": n, "load": xy[-1][0], "wait": xy[-1][1]} for n, xy in curves]
    top = 1.05 * max([r["wait"] for r in rows] + [p.wait for p in points])
    x = alt.X(
        "load:Q", title="load ρ, % of the time that one is served",
        scale=alt.Scale(domain=[0, 1.0]),
        axis=alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1], grid=False),
    )  # fmt: skip

    def y(field):
        # Both ends of an interval may lie outside of what is drawn.
        return alt.Y(
            f"{field}:Q", title="mean wait, in mean services",
            scale=alt.Scale(domain=[0, top], clamp=True), axis=alt.Axis(domain=False, ticks=False),
        )  # fmt: skip

    dash = alt.StrokeDash(
        "name:N", legend=None, scale=alt.Scale(domain=names, range=list(CURVES[: len(names)]))
    )
    lines = alt.Chart(alt.InlineData(values=rows)).mark_line(stroke=c["text"], strokeWidth=2)
    words = alt.Chart(alt.InlineData(values=ends)).mark_text(
        align="left", dx=8, fontSize=11, color=c["quiet"]
    )
    layers = [
        lines.encode(x=x, y=y("wait"), strokeDash=dash),
        words.encode(x=x, y=y("wait"), text="name:N"),
    ]
    seen = list(dict.fromkeys(p.name for p in points))
    if points:
        data = alt.InlineData(values=[vars(p) for p in points])
        shape = alt.Shape(
            "name:N", scale=alt.Scale(domain=seen, range=list(SHAPES[: len(seen)])),
            legend=alt.Legend(title=None, orient="top", symbolFillColor=c["text"],
                              symbolStrokeColor=c["text"], labelColor=c["quiet"], labelLimit=400),
        )  # fmt: skip
        base = alt.Chart(data)
        layers += [
            base.mark_rule(stroke=c["text"]).encode(x=x, y=y("low"), y2="high:Q"),
            base.mark_point(filled=True, size=70, opacity=1, fill=c["text"]).encode(
                x=x, y=y("wait"), shape=shape
            ),
        ]
    whole = alt.layer(*layers).properties(
        width=460, height=240, title=alt.Title(title, fontSize=14, color=c["text"], anchor="start")
    )
    return {**whole.to_dict(), "config": {**config(theme), "background": c["page"]}, "padding": 12}
