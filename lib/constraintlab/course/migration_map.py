"""The migration map: where the constraint was in each lab, what each fix moved, and what it gave.

Labs and fixes on the left, with what bound before a fix and after it; gains on the right, what the
tool predicted beside what was measured.
"""

from __future__ import annotations

import textwrap

from constraintlab.course.forecast import Forecast
from constraintlab.course.migration import EMPTY, TITLES, Migration, rows
from constraintlab.course.migration_gains import gains
from constraintlab.limits.resource import Resource
from constraintlab.panel.charts.theme import config, part
from constraintlab.panel.palette import COLOURS, MARKS, THEMES, edge, on
from constraintlab.panel.picture import Picture

LEFT, ROW = 656, 19
"""Pixels: width of the labs, and from row to row."""

APART = 16
"""Between labs and gains."""

COLUMNS = {
    "lab": 0, "mark": 136, "label": 151, "note": 232, "fix": 350,
    "before": 532, "after": 570, "bound": 584,
}  # fmt: skip
"""Pixels from the left."""

HEADS = ((0, "lab"), (128, "ended at"), (524, "bound before → after"))
"""Over the columns; the axis of the gains says 'fix' over its own."""

ROOM = {"note": 19, "fix": 28}
"""Characters that fit before the next column."""


def picture(found: Migration) -> Picture:
    """To be shown in a notebook."""
    return Picture(lambda theme: spec(found, theme), found.text)


def spec(found: Migration, theme: str) -> dict:
    """The whole Vega-Lite spec: labs on the left, gains on the right."""
    said = "○ predicted, with its interval   ● measured"
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "hconcat": [_labs(found, theme), gains(found, theme, ROW, LEFT + APART - COLUMNS["fix"])],
        "spacing": APART,
        # By their frames: a head that the gains have over the labs must not push them away.
        "bounds": "flush",
        "title": {"text": textwrap.wrap(found.title, 100), "fontSize": 14, "anchor": "start",
                  "offset": 12, "subtitle": f"every lab and fix; gains on a log axis: {said}"},
        "config": {**config(theme), "background": THEMES[theme]["page"]},
        "padding": 12,
    }  # fmt: skip


def _labs(found: Migration, theme: str) -> dict:
    import altair as alt

    c, texts, marks, moves = THEMES[theme], [], [], []
    seen = set()
    for i, (stop, fix) in enumerate(rows(found)):
        at = ROW * (i + 0.5)
        if fix:
            texts.append(_word("fix", at, fix.fix, "quiet"))
            moves += _moved(fix, at, theme)
            texts += _bound(fix, at)
        if stop.lab in seen:
            continue
        seen.add(stop.lab)
        ink = "text" if stop.done else "quiet"
        texts.append(_word("lab", at, f"{stop.lab} {TITLES[stop.lab]}", ink))
        label = stop.constraint.label if stop.constraint else "no limit"
        texts.append(_word("label", at, label if stop.done else EMPTY, ink))
        texts.append(_word("note", at, stop.note, "quiet"))
        marks.append({**_mark("mark", at, stop.constraint, theme), "done": stop.done})
    tall = ROW * len(rows(found))
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, LEFT], nice=False))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[0, tall], reverse=True, nice=False))

    def layer(values):
        return alt.Chart(alt.InlineData(values=values))

    line = layer([m for m in marks if m["done"] and m["mark"]]).mark_line(
        color=c["quiet"], strokeWidth=1.5).encode(x=x, y=y, order=alt.Order("y:Q"))  # fmt: skip
    arrows = [{**m, "x": (COLUMNS["before"] + COLUMNS["after"]) / 2, "text": "→"}
              for m in moves if m["moved"]]  # fmt: skip
    drawn = [line]
    for some, size in ((marks, 230), (moves, 150)):
        drawn.append(layer(some).mark_point(
            shape="square", size=size, strokeWidth=1.5, opacity=1).encode(
            x=x, y=y, fill=alt.Fill("fill:N", scale=None),
            stroke=alt.Stroke("edge:N", scale=None)))  # fmt: skip
        drawn.append(layer(some).mark_text(fontSize=11 if some is marks else 10,
                                           baseline="middle").encode(
            x=x, y=y, text="mark:N", color=alt.Color("ink:N", scale=None)))  # fmt: skip
    texts += [{"x": at, "y": -9, "text": text, "ink": "quiet"} for at, text in HEADS]
    words = [([t for t in texts if t["ink"] == ink], ink, "left") for ink in ("text", "quiet")]
    for some, ink, align in (*words, (arrows, "quiet", "center")):
        drawn.append(layer(some).mark_text(
            align=align, baseline="middle", fontSize=11.5, color=c[ink]).encode(
            x=x, y=y, text="text:N"))  # fmt: skip
    shown = [d for d in drawn if d.data.values]
    return part(alt.layer(*shown).properties(width=LEFT, height=tall))


def _word(column: str, at: float, text: str, ink: str) -> dict:
    most = ROOM.get(column, len(text))
    short = text if len(text) <= most else text[: most - 1].rstrip() + "…"
    return {"x": COLUMNS[column], "y": at, "text": short, "ink": ink}


def _mark(column: str, at: float, r: Resource | None, theme: str) -> dict:
    c = THEMES[theme]
    return {"x": COLUMNS[column], "y": at, "fill": COLOURS[r] if r else c["page"],
            "edge": edge(r, theme) if r else c["line"], "mark": MARKS[r] if r else "",
            "ink": on(COLOURS[r]) if r else c["text"]}  # fmt: skip


def _bound(fix: Forecast, at: float) -> list[dict]:
    """The last of a row's marks in words, right of it."""
    last = (fix.bound or fix.before)[:1]
    near = 0 if fix.bound else COLUMNS["before"] - COLUMNS["after"]
    return [
        {**word, "x": word["x"] + near}
        for word in (_word("bound", at, r.label, "quiet") for r in last)
    ]


def _moved(fix: Forecast, at: float, theme: str) -> list[dict]:
    """What bound before a fix and after it; a verdict that nobody has is left out."""
    ends = [("before", r) for r in fix.before[:1]] + [("after", r) for r in fix.bound[:1]]
    both = len(ends) == 2
    return [
        {**_mark(column, at, r, theme), "moved": both and column == "after"} for column, r in ends
    ]
