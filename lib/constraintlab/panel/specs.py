"""The charts, authored in Altair with named data: the browser only swaps their rows."""

from __future__ import annotations

from constraintlab.limits.resource import Resource
from constraintlab.panel.palette import COLOURS, THEMES

FONT = "system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif"


def config(theme: str) -> dict:
    """Vega-Lite configuration of a theme: quiet axes, no frame, no background of its own."""
    c = THEMES[theme]
    return {
        "background": None,
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            "labelColor": c["quiet"], "titleColor": c["quiet"], "gridColor": c["line"],
            "domainColor": c["line"], "tickColor": c["line"], "labelFontSize": 11,
            "titleFontSize": 11, "titleFontWeight": "normal",
        },
        "text": {"color": c["text"], "fontSize": 12},
        "title": {"color": c["text"], "subtitleColor": c["quiet"], "anchor": "start"},
    }  # fmt: skip


def worth(theme: str):
    """Bars from throughput now to throughput without each limit, shares in a column."""
    import altair as alt

    c = THEMES[theme]
    base = alt.Chart(alt.NamedData(name="worth")).encode(
        y=alt.Y("label:N", sort=alt.SortField("order"), title=None,
                axis=alt.Axis(labelColor=c["text"], labelFontSize=12, domain=False, ticks=False,
                              labelPadding=8, labelLimit=160)),
    )  # fmt: skip
    x = alt.X("now:Q", axis=None, scale=alt.Scale(zero=False, padding=8, nice=False))
    room = base.mark_point(opacity=0).encode(x=alt.X("pad:Q", axis=None)).transform_calculate(
        pad="datum.now + 1.55 * (datum.to - datum.now) + 0.02 * datum.now"
    )
    bars = base.mark_bar(height={"band": 0.62}, strokeWidth=2, cornerRadius=2).encode(
        x=x, x2="to:Q",
        color=alt.Color("colour:N", scale=None),
        stroke=alt.condition("datum.top", alt.value(c["text"]), alt.value("transparent")),
    )  # fmt: skip
    now = base.mark_tick(color=c["text"], thickness=2, height={"band": 1}).encode(x=x)
    label = base.mark_text(align="left", dx=7).encode(
        x=alt.X("to:Q", axis=None), text="text:N",
        color=alt.condition("datum.text == 'no change'", alt.value(c["quiet"]),
                            alt.value(c["text"])),
    )  # fmt: skip
    share = base.mark_text(align="left", dx=6).encode(
        x=alt.value("width"), text="share:N",
        color=alt.condition("datum.top", alt.value(c["text"]), alt.value(c["quiet"])),
    )  # fmt: skip
    return alt.layer(room, bars, now, label, share).properties(
        width="container", height=alt.Step(24), padding={"right": 52, "left": 0, "top": 4,
                                                         "bottom": 4},
    )  # fmt: skip


def roofline(theme: str):
    """FLOP/s over intensity, both logarithmic: the roof, earlier runs hollow, this one filled."""
    import altair as alt

    c = THEMES[theme]
    x = alt.X("x:Q", scale=alt.Scale(type="log", nice=False), title="FLOP per byte",
              axis=alt.Axis(format="~g", values=[10**i for i in range(-4, 6)], grid=False))  # fmt: skip
    y = alt.Y("y:Q", scale=alt.Scale(type="log", nice=True), title="FLOP/s",
              axis=alt.Axis(format="~s", values=[10**i for i in range(6, 17)]))  # fmt: skip
    by = alt.Color("colour:N", legend=None, scale=alt.Scale(
        domain=["bandwidth", "compute"],
        range=[COLOURS[Resource.BANDWIDTH], COLOURS[Resource.COMPUTE]]))  # fmt: skip
    roof = alt.Chart(alt.NamedData(name="roof"))
    lines = roof.mark_line(strokeWidth=2.5).encode(x=x, y=y, color=by, detail="line:N")
    lines = lines.transform_filter("datum.line != 'label'")
    flat = roof.mark_text(align="right", dy=-8, fontSize=11, color=c["text"]).encode(
        x=x, y=y, text="label:N"
    ).transform_filter("datum.label != '' && datum.line != 'label'")
    slope = roof.mark_text(align="right", dx=-8, dy=-6, fontSize=11, color=c["text"]).encode(
        x=x, y=y, text="label:N"
    ).transform_filter("datum.line == 'label'")
    dots = alt.Chart(alt.NamedData(name="dots"))
    drop = dots.mark_point(size=90, strokeWidth=2, filled=False).encode(
        x=x, y=y,
        stroke=alt.condition("datum.ghost", alt.value(c["quiet"]), alt.value(c["text"])),
        fill=alt.condition("datum.ghost", alt.value("transparent"), alt.value(c["text"])),
    )  # fmt: skip
    names = dots.mark_text(align="left", dx=10, dy=4).encode(
        x=x, y=y, text="name:N",
        color=alt.condition("datum.ghost", alt.value(c["quiet"]), alt.value(c["text"])),
    )  # fmt: skip
    return alt.layer(lines, flat, slope, drop, names).properties(width="container", height=190)


def timeline(theme: str, seconds: float = 20.0):
    """Each series as a share of its ceiling over the last seconds, named at its end."""
    import altair as alt

    c = THEMES[theme]
    x = alt.X("x:Q", scale=alt.Scale(domain=[-seconds, 0], nice=False), title=None,
              axis=alt.Axis(values=[-seconds, -seconds / 2, 0], grid=False,
                            labelExpr="datum.value == 0 ? 'now' : datum.value + ' s'"))  # fmt: skip
    y = alt.Y("y:Q", scale=alt.Scale(domain=[0, 1.1], clamp=True), title="share of the ceiling",
              axis=alt.Axis(format="%", values=[0, 0.5, 1]))  # fmt: skip
    rows = alt.Chart(alt.NamedData(name="rows")).mark_line(
        strokeWidth=2, interpolate="linear"
    ).encode(
        x=x, y=y, detail="s:N", color=alt.Color("colour:N", scale=None),
        strokeDash=alt.condition("datum.busy", alt.value([4, 4]), alt.value([1, 0])),
    )  # fmt: skip
    ends = alt.Chart(alt.NamedData(name="ends")).mark_text(align="left", dx=8, fontSize=11).encode(
        x=alt.value("width"), y=alt.Y("at:Q"), text="label:N",
        color=alt.condition("datum.busy", alt.value(c["quiet"]), alt.value(c["text"])),
    )
    return alt.layer(rows, ends).properties(
        width="container", height=170, padding={"right": 150, "left": 0, "top": 4, "bottom": 4}
    )


def all_specs() -> dict[str, dict]:
    """{theme: {chart: Vega-Lite spec}} for the browser."""
    made = {}
    for theme in THEMES:
        charts = {"worth": worth(theme), "roofline": roofline(theme), "timeline": timeline(theme)}
        made[theme] = {n: {**ch.to_dict(), "config": config(theme)} for n, ch in charts.items()}
    return made
