"""Throughput without each limit, and the shares beside it: what is a fix worth?"""

from __future__ import annotations

import math

from constraintlab.limits.resource import Resource
from constraintlab.limits.verdict import Verdict
from constraintlab.panel.charts.theme import FIXED, WIDTH
from constraintlab.panel.numbers import finite, si, times
from constraintlab.panel.palette import COLOURS, THEMES, edge, kind, named
from constraintlab.panel.sentence import measured, now

NAME = "worth"
LONGEST = 7.0
"""A bar's longest gain: what is worth more is cut there and its number marked with »."""
BESIDE = 84
"""Pixels right of the longest bar, for its number, however narrow the chart is."""
LEAST = 0.5
"""The chart's scale never zooms in further than this gain, so that 1% looks like 1%."""
TIE = 1.01
"""Two fixes whose worth differs by less than this factor are worth the same."""
CHANGES = 1.005
"""A fix worth less than this reads `no change`."""


def rows(v: Verdict | None) -> list[dict]:
    """One row a resource, the largest share first, those that can't be known last."""
    if v is None or not v.worth:
        return []
    ranked = sorted(Resource, key=lambda r: _rank(v, r))
    return [_row(v, r, order) for order, r in enumerate(ranked)]


def _rank(v: Verdict, r: Resource) -> tuple:
    unknown = why_unknown(v, r) != ""
    worth = v.worth.get(r, math.nan)
    return (unknown, -_share(v, r), -worth if finite(worth) else 0.0, list(Resource).index(r))


def _share(v: Verdict, r: Resource) -> float:
    share = v.shares.get(r, 0.0)
    return share if finite(share) else 0.0


def why_unknown(v: Verdict, r: Resource) -> str:
    """Why nothing can be said about a resource, empty where something can."""
    source = v.sources.get(r.value, "")
    if source.startswith("n/a"):
        return source.removeprefix("n/a").lstrip(": ") or "not known"
    worth = v.worth.get(r)
    return "the verdict does not cover it" if worth is None or math.isnan(worth) else ""


def _row(v: Verdict, r: Resource, order: int) -> dict:
    why, worth, x = why_unknown(v, r), v.worth.get(r, math.nan), now(v)
    top = bool(v.constraint) and r is v.constraint[0]
    gain = 0.0 if why else max(0.0, min(worth - 1, LONGEST))
    if why:
        text = "n/a"
    elif worth < CHANGES:
        text = "no change"
    elif math.isinf(worth):
        text = "» unbounded"
    else:
        text = f"{'» ' if worth - 1 > LONGEST else ''}{si(x * worth) if x else times(worth)}"
    return {
        "order": order,
        "label": named(r),
        "key": r.value,
        "gain": gain,
        "text": text,
        "share": "n/a" if why else f"{_share(v, r):.2f}{' ◀' if top else ''}",
        "quiet": bool(why) or worth < CHANGES,
        "top": top,
        "why": f"{r.label}: n/a, {why}" if why else f"{r.label}: {text}, share {_share(v, r):.2f}",
        "head": f"{si(x)} now" if order == 0 and x is not None else "",
        "colhead": "share" if order == 0 else "",
    }


def title(v: Verdict | None) -> tuple[str, str]:
    """(finding, what the chart shows)."""
    shows = "if one limit vanished, modelled"
    if v is None or not v.worth:
        return "What would a fix be worth?", "no verdict yet"
    known = [r for r in Resource if not why_unknown(v, r)]
    ranked = sorted(known, key=lambda r: -v.worth[r])
    if not ranked or v.worth[ranked[0]] < CHANGES:
        return "No single fix changes anything", shows
    # Of fixes that are worth the same, the constraint's comes first: it is what the verdict names.
    same = [r for r in v.constraint if r in known and v.worth[r] * TIE >= v.worth[ranked[0]]]
    best = (same or ranked)[0]
    rest, x = [r for r in ranked if r is not best], now(v)
    change = f"{si(x)} → {si(x * v.worth[best], v.unit)}" if x else times(v.worth[best])
    if math.isinf(v.worth[best]):
        change = "no other limit is in sight"
    if v.disagreement is not None and not v.fits:
        return f"A guess: a fix to {best.label} is worth most", shows
    if v.worth[best] < 1.1:
        return "No single fix helps: the limits stand close together", shows
    if all(v.worth[r] < 1.1 for r in rest):
        return f"Only {best.label} would help: {change}", shows
    return f"A fix to {best.label} is worth most: {change}", shows


def sources(v: Verdict | None) -> list[dict]:
    """What the chart rests on, by kind of source: `counted` demands, `measured` bandwidth."""
    if v is None or not v.worth:
        return []
    held: dict[str, list[str]] = {}
    if measured(v) is not None:
        held.setdefault(kind(v.measured.source), []).append("throughput now")
    for what, source in v.sources.items():
        held.setdefault(kind(source), []).append(what.replace(".", " "))
    if measured(v) is None:
        held.setdefault("modelled", []).append("throughput now")
    held.setdefault("modelled", []).append("bars")
    return [{"kind": k, "what": ", ".join(dict.fromkeys(names))} for k, names in held.items()]


def chart(theme: str):
    """Bars from throughput now to throughput without each limit, shares in a column."""
    import altair as alt

    c = THEMES[theme]
    resources = [r.value for r in Resource]
    # The names are marks, which can have colours: of the axis its title is left, over them.
    over = alt.Axis(title="limit", titleAngle=0, titleAlign="left", titleX=-112, titleY=-9,
                    titleBaseline="middle", labels=False, ticks=False, domain=False)  # fmt: skip
    base = alt.Chart(alt.NamedData(name="worth")).encode(
        # By place, not by name: with rows that change, a sort by another field is not kept.
        y=alt.Y("order:O", axis=over),
        tooltip=alt.Tooltip("why:N"),
    )  # fmt: skip
    axis = alt.Axis(labelExpr="'×' + format(datum.value + 1, '~g')", tickCount=4, grid=False)
    scale = alt.Scale(zero=True, nice=False, rangeMax={"expr": f"max(24, width - {BESIDE})"})
    gain = alt.X("gain:Q", axis=axis, scale=scale, title="throughput, × of now")
    room = base.transform_calculate(least=f"datum.order == 0 ? {LEAST} : 0")
    room = room.mark_point(opacity=0, size=1).encode(x=alt.X("least:Q"))
    fill = alt.Color("key:N", legend=None, scale=alt.Scale(
        domain=resources, range=[COLOURS[r] for r in Resource]))  # fmt: skip
    outline = alt.Stroke("key:N", legend=None, scale=alt.Scale(
        domain=resources, range=[edge(r, theme) for r in Resource]))  # fmt: skip
    bars = base.mark_bar(height={"band": 0.6}, strokeWidth=1, cornerRadiusEnd=3).encode(
        x=gain, color=fill, stroke=outline
    )
    bars = bars.transform_filter("datum.gain > 0")
    ring = base.mark_bar(height={"band": 0.82}, filled=False, stroke=c["text"], strokeWidth=2,
                         cornerRadiusEnd=5).encode(x=gain)  # fmt: skip
    ring = ring.transform_filter("datum.top && datum.gain > 0")
    ink = alt.condition("datum.quiet", alt.value(c["quiet"]), alt.value(c["text"]))
    label = base.mark_text(align="left", dx=9).encode(x=gain, text="text:N", color=ink)
    weight = alt.condition("datum.top", alt.value(c["text"]), alt.value(c["quiet"]))
    share = base.mark_text(align="left", dx=10).encode(
        x=alt.value("width"), text="share:N", color=weight
    )
    names = base.mark_text(align="right", dx=-10).encode(
        x=alt.value(0), text="label:N", color=alt.value(c["text"])
    )
    heads = alt.Chart(alt.NamedData(name="worth")).transform_filter("datum.order == 0")
    head = heads.mark_text(align="center", fontSize=11, color=c["quiet"]).encode(
        x=alt.XDatum(0), y=alt.value(-9), text="head:N"
    )
    colhead = heads.mark_text(align="left", dx=10, fontSize=11, color=c["quiet"]).encode(
        x=alt.value("width"), y=alt.value(-9), text="colhead:N"
    )
    line = heads.mark_rule(color=c["text"], strokeWidth=2).encode(
        x=alt.XDatum(0), y=alt.value(-2), y2=alt.value("height")
    )
    return alt.layer(room, bars, ring, line, names, label, share, head, colhead).properties(
        width=WIDTH, height=alt.Step(23), autosize=FIXED,
        padding={"left": 118, "right": 58, "top": 20, "bottom": 38},
    )  # fmt: skip
