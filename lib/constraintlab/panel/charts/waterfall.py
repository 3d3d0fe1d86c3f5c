"""Which requests are the tail, and what each of them waited for: a stacked bar a request."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from constraintlab.limits.resource import Resource
from constraintlab.panel.charts.textures import BAR, Texture, hatching, legend, textures
from constraintlab.panel.charts.theme import config, part
from constraintlab.panel.numbers import percent
from constraintlab.panel.palette import THEMES, on
from constraintlab.panel.picture import Picture
from constraintlab.panel.streamtitle import wait
from constraintlab.panel.streamview import nice

WIDTH, ROW = 620, 24
"""Pixels: of the plot, from bar to bar."""

MOST = 40
LEAST = 0.5
"""A cause occurs if somewhere it is at least so many pixels long."""

FIRST = "first token"


@dataclass(frozen=True)
class Bar:
    """One request. label: as it is to be written. seconds: by cause. first: seconds from when it
    was sent to its first token, None if it has none. Raises ValueError that names the request."""

    label: str
    seconds: Mapping[str, float]
    first: float | None = None

    def __post_init__(self) -> None:
        for cause, seconds in self.seconds.items():
            if not 0 <= seconds < math.inf:
                raise ValueError(f"{self.label}: {cause} {seconds} s: give seconds of 0 or more")

    @property
    def total(self) -> float:
        """Seconds."""
        return math.fsum(self.seconds.values())


Causes = Mapping[str, str]
"""Words by name, in the order in which they are stacked."""


def occurring(bars: Sequence[Bar], causes: Causes) -> list[str]:
    """The causes that can be seen, in order. Raises ValueError for what can't be drawn."""
    if not 1 <= len(bars) <= MOST:
        raise ValueError(f"{len(bars)} requests: the chart draws 1 to {MOST}; give the slowest")
    unknown = sorted({name for bar in bars for name in bar.seconds} - causes.keys())
    if unknown:
        raise ValueError(f"no words for {', '.join(unknown)}: name every cause in `causes`")
    least = LEAST / WIDTH * end(bars)
    return [name for name in causes if max(bar.seconds.get(name, 0.0) for bar in bars) >= least]


def end(bars: Sequence[Bar]) -> float:
    """Seconds at the end of the axis."""
    return nice(max(max(bar.total, bar.first or 0.0) for bar in bars))


def rows(bars: Sequence[Bar], causes: Causes) -> list[dict]:
    """The segments, the slowest request first: `{row, label, cause, start, end (s)}`."""
    made, seen = [], occurring(bars, causes)
    for row, bar in enumerate(sorted(bars, key=lambda bar: -bar.total)):
        at = 0.0
        for name in causes:
            length = bar.seconds.get(name, 0.0)
            if length and name in seen:
                made.append({"row": row, "label": bar.label, "cause": name, "start": at,
                             "end": at + length})  # fmt: skip
            at += length
    return made


def title(bars: Sequence[Bar], causes: Causes) -> str:
    """The finding: what most of these requests' time went to."""
    spent = {name: math.fsum(bar.seconds.get(name, 0.0) for bar in bars) for name in causes}
    most, whole = max(causes, key=lambda name: spent[name]), math.fsum(spent.values())
    whose = "this request's" if len(bars) == 1 else f"these {len(bars)} requests'"
    if not whole:
        return f"{whose[0].upper()}{whose[1:]} time is not known"
    return f"{percent(spent[most] / whole)} of {whose} time went to {causes[most]}"


def text(bars: Sequence[Bar], causes: Causes, finding: str = "") -> str:
    """All of it in words, for who sees no chart."""
    told = [f"{finding or title(bars, causes)}."]
    for bar in sorted(bars, key=lambda bar: -bar.total):
        parts = [f"{causes[n]} {wait(bar.seconds[n])}" for n in causes if bar.seconds.get(n)]
        first = "" if bar.first is None else f", first token after {wait(bar.first)}"
        told.append(f"{bar.label}: {wait(bar.total)}{first}: {', '.join(parts)}.")
    return " ".join(told)


def spec(
    bars: Sequence[Bar],
    causes: Causes,
    resources: Mapping[str, Resource],
    theme: str,
    finding: str = "",
) -> dict:
    """The whole Vega-Lite spec."""
    seen = occurring(bars, causes)
    looks = dict(zip(seen, textures([resources.get(n) for n in seen], theme), strict=True))
    more = f"▼ {FIRST}" if any(bar.first is not None for bar in bars) else ""
    words = [(causes[n], looks[n]) for n in seen]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "vconcat": [_plot(bars, rows(bars, causes), looks, theme),
                    legend(words, more, WIDTH, theme)],
        "spacing": 14,
        "title": {"text": textwrap.wrap(finding or title(bars, causes), 90), "fontSize": 14,
                  "anchor": "start", "subtitle": "each request's time, the slowest first",
                  "offset": 12},
        "config": {**config(theme), "background": THEMES[theme]["page"]},
        "padding": 12,
    }  # fmt: skip


def _plot(bars: Sequence[Bar], segments: list[dict], looks: Mapping[str, Texture], theme: str):
    import altair as alt

    c, scale = THEMES[theme], end(bars) / WIDTH
    unit = "datum.value * 1e3, '~g') + ' ms'" if end(bars) < 1 else "datum.value, '~g') + ' s'"
    axis = alt.Axis(labelExpr=f"format({unit}", tickCount=6)
    x = alt.X("start:Q", title="time since it was sent, seconds", axis=axis, scale=alt.Scale(
        domain=[0, end(bars)], nice=False))  # fmt: skip
    over = alt.Axis(title="request", titleAngle=0, titleAlign="right", titleX=-8, titleY=-4,
                    labels=False, ticks=False, domain=False, grid=False)  # fmt: skip
    y = alt.Y("top:Q", axis=over, scale=alt.Scale(
        domain=[0, ROW * len(bars)], reverse=True, nice=False))  # fmt: skip
    fill, stroke = alt.Fill("fill:N", scale=None), alt.Stroke("edge:N", scale=None)
    placed, lines = [], []
    for s in segments:
        look, middle = looks[s["cause"]], ROW * (s["row"] + 0.58)
        half = BAR * look.tall / 2
        box = s["start"] / scale, middle - half, s["end"] / scale, middle + half
        placed.append(s | {"top": box[1], "bottom": box[3], "fill": look.fill, "edge": look.edge,
                           "dash": look.dash, "mark": look.mark if box[2] - box[0] > 15 else "",
                           "centre": (s["start"] + s["end"]) / 2, "middle": middle,
                           "ink": on(look.fill) if look.mark else ""})  # fmt: skip
        lines += [{"start": a * scale, "end": b * scale, "top": t, "bottom": u, "edge": look.edge}
                  for a, t, b, u in (hatching(box, look.hatch) if look.hatch else ())]  # fmt: skip

    def of(values):
        return alt.Chart(alt.InlineData(values=values))

    hatch = of(lines).mark_rule(strokeWidth=1)
    layers = [hatch.encode(x=x, x2="end", y=y, y2="bottom", stroke=stroke)]
    for dash in dict.fromkeys(p["dash"] for p in placed):
        box = of([p for p in placed if p["dash"] == dash]).mark_rect(
            strokeWidth=1, strokeDash=list(dash), opacity=1)  # fmt: skip
        layers.append(box.encode(x=x, x2="end", y=y, y2="bottom", fill=fill, stroke=stroke))
    marks = of([p | {"start": p["centre"], "top": p["middle"]} for p in placed if p["mark"]])
    layers.append(marks.mark_text(fontSize=10).encode(
        x=x, y=y, text="mark:N", color=alt.Color("ink:N", scale=None)))  # fmt: skip
    each = [{"label": bar.label, "total": wait(bar.total), "start": bar.total, "first": bar.first,
             "top": ROW * (i + 0.58), "over": ROW * (i + 0.58) - BAR / 2 - 4}
            for i, bar in enumerate(sorted(bars, key=lambda bar: -bar.total))]  # fmt: skip
    names = of(each).mark_text(align="right", dx=-8, color=c["text"])
    layers.append(names.encode(x=alt.value(0), y=y, text="label:N"))
    totals = of(each).mark_text(align="left", dx=6, fontWeight="bold", color=c["text"])
    layers.append(totals.encode(x=x, y=y, text="total:N"))
    first = of(
        [e | {"start": e["first"], "top": e["over"]} for e in each if e["first"] is not None]
    )
    layers.append(first.mark_point(shape="triangle-down", filled=True, size=38, opacity=1,
                                   color=c["text"]).encode(x=x, y=y))  # fmt: skip
    shown = [layer for layer in layers if layer.data.values]
    return part(alt.layer(*shown).properties(width=WIDTH, height=ROW * len(bars)))


def picture(
    bars: Sequence[Bar],
    causes: Causes,
    resources: Mapping[str, Resource] | None = None,
    finding: str = "",
) -> Picture:
    """To be shown in a notebook. resources: of the causes that stand for one; finding: a title."""
    told = text(bars, causes, finding) if occurring(bars, causes) else ""
    return Picture(lambda theme: spec(bars, causes, resources or {}, theme, finding), told)
