"""Where the constraint was in each lab, drawn: a CPU's recordings left, a GPU's right.

One row a lab, a mark for each thing that bound, in order; the last one in words. A side without a
recording has words alone, and they say so.
"""

from __future__ import annotations

from collections.abc import Sequence

from constraintlab.limits.resource import Resource
from constraintlab.panel.charts.theme import config, part
from constraintlab.panel.palette import COLOURS, MARKS, THEMES, edge, named, on
from constraintlab.panel.picture import Picture
from constraintlab.recordings.sides import NAMES, Side

ROW, STEP, SIDE, LEFT = 24, 34, 340, 44
"""Pixels: from row to row, from mark to mark, of a side, and before the first one."""


def picture(rows: Sequence[tuple[str, tuple[Side, Side]]]) -> Picture:
    """To be shown in a notebook or written to a file. rows: as `sides.rows` gives them."""
    return Picture(lambda theme: spec(rows, theme), text(rows))


def title(rows: Sequence[tuple[str, tuple[Side, Side]]]) -> str:
    """The finding. Offered load is no constraint: then nothing in the stack binds."""
    told = []
    for i, device in enumerate(NAMES):
        there = [pair[i] for _, pair in rows if pair[i].path is not None]
        seen = {r for side in there for r in side.path} - {Resource.DEMAND}
        labs = "1 lab" if len(there) == 1 else f"{len(there)} labs"
        many = "1 constraint" if len(seen) == 1 else f"{len(seen)} constraints"
        what = f"{many} in {labs}" if there else "nothing recorded yet"
        told.append(f"O{NAMES[device][1:]}: {what}")
    return ". ".join(told)


def key(rows: Sequence[tuple[str, tuple[Side, Side]]]) -> str:
    """What the marks that are drawn mean."""
    seen = {r for _, pair in rows for side in pair for r in side.path or ()}
    return " · ".join(named(r) for r in Resource if r in seen)


def text(rows: Sequence[tuple[str, tuple[Side, Side]]]) -> str:
    """All of it in words, for who sees no chart."""
    lines = [f"Lab {lab}: {NAMES['cpu']} {cpu.text}; {NAMES['gpu']} {gpu.text}."
             for lab, (cpu, gpu) in rows]  # fmt: skip
    return " ".join([f"{title(rows)}.", *lines])


def spec(rows: Sequence[tuple[str, tuple[Side, Side]]], theme: str) -> dict:
    """The Vega-Lite spec."""
    import altair as alt

    c, words, marks, arrows = THEMES[theme], [], [], []
    heads = [(LEFT + SIDE * i - 8, name) for i, name in enumerate(NAMES.values())]
    words += [_word(x, -0.35, said, "quiet") for x, said in heads]
    for n, (lab, pair) in enumerate(rows):
        words.append(_word(0, n + 0.5, lab, "text"))
        for i, side in enumerate(pair):
            _draw(side, LEFT + SIDE * i, n + 0.5, theme, words, marks, arrows)
    wide, tall = LEFT + 2 * SIDE, len(rows)
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, wide], nice=False))
    over = alt.Axis(
        title="lab", titleAngle=0, titleAlign="left", titleBaseline="middle", titleX=0,
        titleY=0.35 * ROW, titleFontSize=12, titleFontWeight="normal", titleColor=c["quiet"],
        labels=False, ticks=False, domain=False, grid=False,
    )  # fmt: skip
    y = alt.Y("y:Q", axis=over, scale=alt.Scale(domain=[-0.7, tall], reverse=True, nice=False))

    def layer(values):
        return alt.Chart(alt.InlineData(values=values))

    drawn = [
        layer(marks).mark_point(shape="square", size=230, strokeWidth=1.5, opacity=1).encode(
            x=x, y=y, fill=alt.Fill("fill:N", scale=None),
            stroke=alt.Stroke("edge:N", scale=None)),
        layer(marks).mark_text(fontSize=11, baseline="middle").encode(
            x=x, y=y, text="mark:N", color=alt.Color("ink:N", scale=None)),
    ]  # fmt: skip
    for some, ink, align in (
        ([w for w in words if w["ink"] == "text"], "text", "left"),
        ([w for w in words if w["ink"] == "quiet"], "quiet", "left"),
        (arrows, "quiet", "center"),
    ):
        drawn.append(layer(some).mark_text(
            align=align, baseline="middle", fontSize=12, color=c[ink]).encode(
            x=x, y=y, text="text:N"))  # fmt: skip
    shown = [one for one in drawn if one.data.values]
    made = part(alt.layer(*shown).properties(width=wide, height=ROW * (tall + 0.7)))
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        **made,
        "title": {"text": title(rows), "fontSize": 14, "anchor": "start", "offset": 10,
                  "subtitle": ["what bound in each lab's recording, run by run, the last in words",
                               key(rows)]},
        "config": {**config(theme), "background": THEMES[theme]["page"]},
        "padding": 12,
    }  # fmt: skip


def _draw(side: Side, left: float, at: float, theme: str, words, marks, arrows) -> None:
    """One side of a row, into the values of the layers."""
    path = side.path or ()
    for i, r in enumerate(path):
        marks.append(_mark(left + STEP * i, at, r, theme))
        if i:
            arrows.append({"x": left + STEP * (i - 0.5), "y": at, "text": "→"})
    said = path[-1].label if path else side.text
    words.append(_word(left + STEP * len(path) - (12 if path else 8), at, said,
                       "text" if path else "quiet"))  # fmt: skip


def _mark(x: float, at: float, r: Resource, theme: str) -> dict:
    return {"x": x, "y": at, "fill": COLOURS[r], "edge": edge(r, theme), "mark": MARKS[r],
            "ink": on(COLOURS[r])}  # fmt: skip


def _word(x: float, at: float, said: str, ink: str) -> dict:
    return {"x": x, "y": at, "text": said, "ink": ink}
