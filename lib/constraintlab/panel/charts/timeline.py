"""The last seconds: each resource as a share of its ceiling, beside how busy things look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from constraintlab.limits.resource import Resource
from constraintlab.panel.charts.theme import FIXED, WIDTH
from constraintlab.panel.numbers import finite, percent
from constraintlab.panel.palette import COLOURS, DASHES, MARKS, THEMES, edge, kind
from constraintlab.panel.parts import Series

NAME = "timeline"
SECONDS = 20.0
TOP = 1.1
"""Shares are drawn up to here; a label says what lies above."""
BUSY_DASH = [4, 4]
GAP = 0.095
"""The least distance between two labels at the lines' ends, as a share."""


def line(s: Series, source: str) -> dict:
    """What the browser needs to know of one series."""
    return {
        "label": s.label,
        "key": s.resource.value if s.resource else "",
        "mark": f"{MARKS[s.resource]} " if s.resource else "┄ ",
        "colour": {t: COLOURS[s.resource] if s.resource else THEMES[t]["quiet"] for t in THEMES},
        "rim": {t: _rim(s.resource, t) for t in THEMES},
        "source": source,
        "kind": kind(source),
    }  # fmt: skip


def _rim(resource: Resource | None, theme: str) -> str:
    """What a line too faint for the ground is edged with, empty for the others."""
    if resource is None or edge(resource, theme) == COLOURS[resource]:
        return ""
    return edge(resource, theme)


def rows(
    series: Sequence[Series], samples: Sequence[Sequence[float]], sources: Sequence[str], theme: str
) -> tuple[list[dict], list[dict]]:
    """(lines, ends) for a still picture; `samples` are [t, share of each series …]."""
    if not samples:
        return [], []
    last = samples[-1][0]
    shown = [row for row in samples if last - row[0] <= SECONDS]
    drawn, ends = [], []
    for i, (s, source) in enumerate(zip(series, sources, strict=True)):
        info = line(s, source)
        look = {"s": s.label, "colour": info["colour"][theme], "dash": dash(info),
                "busy": not info["key"], "rim": info["rim"][theme]}  # fmt: skip
        points = [(row[0] - last, row[i + 1]) for row in shown]
        drawn += [{"x": t, "y": max(0.0, y), **look} for t, y in points if finite(y)]
        y = shown[-1][i + 1]
        at = min(max(y, 0.0), TOP) if finite(y) else 0.0
        ends.append({"at": at, "label": f"{info['mark']}{s.label} {percent(y)}",
                     "busy": look["busy"]})  # fmt: skip
    return drawn, apart(ends)


def dash(info: dict) -> list[int]:
    """The line's style: by source for a resource, always broken for what only looks busy."""
    return DASHES[info["kind"]] if info["key"] else BUSY_DASH


def apart(ends: Sequence[dict]) -> list[dict]:
    """Labels in order of height, moved apart where they would cover each other."""
    placed = sorted(ends, key=lambda e: e["at"])
    for low, high in pairwise(placed):
        high["at"] = max(high["at"], low["at"] + GAP)
    ceiling = TOP
    for e in reversed(placed):
        e["at"] = min(e["at"], ceiling)
        ceiling = e["at"] - GAP
    return placed


def title(series: Sequence[Series], samples: Sequence[Sequence[float]]) -> tuple[str, str]:
    """(finding about the last two seconds, what the chart shows)."""
    shows = f"last {SECONDS:g} s, share of each ceiling"
    means = {s: _mean(samples, i + 1) for i, s in enumerate(series)}
    known = {s: m for s, m in means.items() if finite(m)}
    real = [s for s in known if s.resource]
    if not real:
        return "Waiting for samples", shows
    top = max(real, key=lambda s: known[s])
    text = f"{top.label}: {percent(known[top])} of its ceiling"
    busy = next((s for s in known if s.resource is None), None)
    if busy is not None:
        text += f" while {busy.label} reads {percent(known[busy])}"
    return text[0].upper() + text[1:], shows


def _mean(samples: Sequence[Sequence[float]], column: int) -> float:
    recent = [row[column] for row in samples if samples[-1][0] - row[0] <= 2.0]
    recent = [y for y in recent if finite(y)]
    return sum(recent) / len(recent) if recent else math.nan


def chart(theme: str):
    """One line a series, its name at its end; faint colours get an edge."""
    import altair as alt

    c = THEMES[theme]
    x = alt.X("x:Q", scale=alt.Scale(domain=[-SECONDS, 0], nice=False), title="time, s",
              axis=alt.Axis(values=[-SECONDS, -SECONDS / 2, 0], grid=False,
                            labelExpr="datum.value == 0 ? 'now' : '−' + -datum.value + ' s'",
                            labelFlush=True))  # fmt: skip
    y = alt.Y("y:Q", scale=alt.Scale(domain=[0, TOP], clamp=True), title="share of its ceiling, %",
              axis=alt.Axis(format="%", values=[0, 0.5, 1], domain=False, ticks=False))  # fmt: skip
    data = alt.Chart(alt.NamedData(name="rows"))
    rim = data.mark_line(strokeWidth=4.5).encode(
        x=x, y=y, detail="s:N",
        color=alt.Color("rim:N", scale=None), strokeDash=alt.StrokeDash("dash:N", scale=None),
    )  # fmt: skip
    rim = rim.transform_filter("datum.rim != ''")
    lines = data.mark_line().encode(
        x=x, y=y, detail="s:N",
        color=alt.Color("colour:N", scale=None),
        strokeDash=alt.StrokeDash("dash:N", scale=None),
        strokeWidth=alt.condition("datum.busy", alt.value(1.5), alt.value(2.5)),
    )  # fmt: skip
    ends = alt.Chart(alt.NamedData(name="ends"))
    ends = ends.mark_text(align="left", dx=8, fontSize=11.5).encode(
        x=alt.value("width"), y=alt.Y("at:Q"), text="label:N",
        color=alt.condition("datum.busy", alt.value(c["quiet"]), alt.value(c["text"])),
    )  # fmt: skip
    return alt.layer(rim, lines, ends).properties(
        width=WIDTH, height=150, autosize=FIXED,
        padding={"left": 58, "right": 204, "top": 8, "bottom": 38},
    )  # fmt: skip
