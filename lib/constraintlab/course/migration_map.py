"""Where the constraint was in each lab, and what each fix gave beside what the tool predicted.

All of it comes from the learner's progress: a lab that was not finished has an empty row.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from constraintlab.course.forecast import Forecast, kept
from constraintlab.course.lab import strip
from constraintlab.course.progress import Progress
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource
from constraintlab.panel.charts.theme import config, part
from constraintlab.panel.palette import COLOURS, MARKS, THEMES, edge, on
from constraintlab.panel.picture import Picture

TITLES = {
    "00": "Instrument first", "01": "Naive attention", "02": "One kernel", "03": "FlashAttention",
    "04": "Batching, KV wall", "05": "Paged KV", "06": "Streaming", "07": "The tail",
    "08": "Day two",
}  # fmt: skip

LEFT, GAINS, ROW = 490, 220, 19
"""Pixels: of the labs, of the gains, from row to row."""

EMPTY = "not done yet"
COLUMNS = {"lab": 0, "mark": 152, "label": 168, "fix": 330}
"""Pixels from the left."""


@dataclass(frozen=True)
class Stop:
    """One lab. done: it was finished, and `constraint` is where it ended, if anything bound.
    fixes: those that were measured."""

    lab: str
    done: bool
    constraint: Resource | None = None
    note: str = ""
    fixes: tuple[Forecast, ...] = ()


@dataclass(frozen=True)
class Migration:
    """Every lab in order, up to the one that is under way."""

    stops: tuple[Stop, ...]

    @property
    def done(self) -> tuple[Stop, ...]:
        """The labs that were finished."""
        return tuple(s for s in self.stops if s.done)

    @property
    def path(self) -> tuple[Resource, ...]:
        """Where the constraint went: the same one twice in a row counts once."""
        found = [s.constraint for s in self.done if s.constraint]
        return tuple(r for i, r in enumerate(found) if i == 0 or found[i - 1] is not r)

    @property
    def fixes(self) -> tuple[Forecast, ...]:
        """All that were measured, in all labs."""
        return tuple(f for s in self.stops for f in s.fixes)

    @property
    def title(self) -> str:
        """The finding."""
        if not self.done:
            return "Nothing measured yet: finish a lab, and its row fills"
        many, different = len(self.done), len(set(self.path))
        labs = "1 lab" if many == 1 else f"{many} labs"
        found = "1 constraint" if different == 1 else f"{different} different constraints"
        return f"{found} in {labs}: {' → '.join(r.label for r in self.path) or 'none'}"

    @property
    def text(self) -> str:
        """All of it in words, for who sees no chart."""
        told = [f"{self.title}."]
        for s in self.stops:
            where = s.constraint.label if s.constraint else "nothing bound"
            said = f"{where} ({s.note})" if s.note else where
            fixes = "; ".join(
                f"{f.fix} predicted ×{f.predicted.value:.2f}, measured ×{f.measured.value:.2f}"
                for f in s.fixes
            )
            line = f"Lab {s.lab}: {said if s.done else EMPTY}"
            told.append(line + (f"; {fixes}." if fixes else "."))
        return " ".join(told)


def migration(progress: Progress, before: str = "08") -> Migration:
    """The labs up to `before`, which is left out, from what is kept of them."""
    cells = {cell.lab: cell for cell in strip(progress)}
    stops = []
    for lab in TITLES:
        if lab >= before:
            break
        cell, found = cells.get(lab), kept(progress, lab).values()
        fixes = tuple(f for f in found if f.tried)
        where = cell.constraint if cell else None
        stops.append(Stop(lab, cell is not None, where, cell.note if cell else "", fixes))
    return Migration(tuple(stops))


def picture(found: Migration) -> Picture:
    """To be shown in a notebook."""
    return Picture(lambda theme: spec(found, theme), found.text)


def rows(found: Migration) -> list[tuple[Stop, Forecast | None]]:
    """A row for each fix; one for a lab without any."""
    return [(s, f) for s in found.stops for f in (s.fixes or (None,))]


def spec(found: Migration, theme: str) -> dict:
    """The whole Vega-Lite spec: labs on the left, gains on the right."""
    said = "○ predicted, with its interval   ● measured"
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "hconcat": [_labs(found, theme), _gains(found, theme)],
        "spacing": 16,
        "title": {"text": textwrap.wrap(found.title, 88), "fontSize": 14, "anchor": "start",
                  "offset": 12, "subtitle": f"each lab's last constraint · gain of each fix, log "
                  f"axis: {said}"},
        "config": {**config(theme), "background": THEMES[theme]["page"]},
        "padding": 12,
    }  # fmt: skip


def _layers(values: Sequence[dict]):
    import altair as alt

    return alt.Chart(alt.InlineData(values=list(values)))


def _at(column: str):
    import altair as alt

    return alt.X(column, axis=None, scale=alt.Scale(domain=[0, LEFT], nice=False))


def _y(found: Migration):
    import altair as alt

    tall = ROW * len(rows(found))
    return alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[0, tall], reverse=True, nice=False))


def _labs(found: Migration, theme: str) -> dict:
    import altair as alt

    c, y, texts, marks = THEMES[theme], _y(found), [], []
    seen = set()
    for i, (stop, fix) in enumerate(rows(found)):
        at = ROW * (i + 0.5)
        if fix:
            texts.append({"x": COLUMNS["fix"], "y": at, "text": _short(fix.fix), "ink": "quiet"})
        if stop.lab in seen:
            continue
        seen.add(stop.lab)
        ink = "text" if stop.done else "quiet"
        name = f"{stop.lab} {TITLES[stop.lab]}"
        texts.append({"x": COLUMNS["lab"], "y": at, "text": name, "ink": ink})
        label = stop.constraint.label if stop.constraint else "no limit"
        label = _short(" · ".join(filter(None, (label, stop.note)))) if stop.done else EMPTY
        texts.append({"x": COLUMNS["label"], "y": at, "text": label, "ink": ink})
        r = stop.constraint
        marks.append({"x": COLUMNS["mark"], "y": at, "fill": COLOURS[r] if r else c["page"],
                      "edge": edge(r, theme) if r else c["line"], "mark": MARKS[r] if r else "",
                      "ink": on(COLOURS[r]) if r else c["text"], "done": stop.done})  # fmt: skip
    x = _at("x:Q")
    line = _layers([m for m in marks if m["done"] and m["mark"]]).mark_line(
        color=c["quiet"], strokeWidth=1.5).encode(x=x, y=y, order=alt.Order("y:Q"))  # fmt: skip
    boxes = _layers(marks).mark_point(shape="square", size=230, strokeWidth=1.5, opacity=1).encode(
        x=x, y=y, fill=alt.Fill("fill:N", scale=None), stroke=alt.Stroke("edge:N", scale=None),
    )  # fmt: skip
    glyphs = _layers(marks).mark_text(fontSize=11, baseline="middle").encode(
        x=x, y=y, text="mark:N", color=alt.Color("ink:N", scale=None))  # fmt: skip
    words = []
    for ink in ("text", "quiet"):
        some = [t for t in texts if t["ink"] == ink]
        if some:
            words.append(_layers(some).mark_text(
                align="left", baseline="middle", fontSize=11.5, color=c[ink]).encode(
                x=x, y=y, text="text:N"))  # fmt: skip
    tall = ROW * len(rows(found))
    return part(alt.layer(line, boxes, glyphs, *words).properties(width=LEFT, height=tall))


def _short(text: str, most: int = 25) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _gains(found: Migration, theme: str) -> dict:
    import altair as alt

    c, y, dots, rules = THEMES[theme], _y(found), [], []
    for i, (_, fix) in enumerate(rows(found)):
        for e, kind, off in (
            ((fix.predicted, "predicted", -3), (fix.measured, "measured", 3))
            if (fix and _drawable(fix))
            else ()
        ):
            at = ROW * (i + 0.5) + off
            dots.append({"x": e.value, "y": at, "kind": kind})
            if e.low > 0 and math.isfinite(e.high):
                rules.append({"x": e.low, "x2": e.high, "y": at, "kind": kind})
    ends = [d["x"] for d in dots] + [r[k] for r in rules for k in ("x", "x2")]
    low, high = min([0.7, *(0.9 * e for e in ends)]), max([2.5, *(1.1 * e for e in ends)])
    ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if low <= t <= high]
    axis = alt.Axis(values=ticks, labelExpr="'×' + format(datum.value, '~g')", title=None)
    x = alt.X("x:Q", axis=axis, scale=alt.Scale(type="log", domain=[low, high], nice=False))
    tall = ROW * len(rows(found))
    one = _layers([{"x": 1}]).mark_rule(color=c["quiet"]).encode(x=x)
    layers = [one, _layers(rules).mark_rule(color=c["quiet"], strokeWidth=1.5).encode(
        x=x, x2="x2:Q", y=y)]  # fmt: skip
    for kind, fill in (("predicted", c["page"]), ("measured", c["text"])):
        layers.append(_layers([d for d in dots if d["kind"] == kind]).mark_point(
            shape="circle", size=46, fill=fill, stroke=c["text"], opacity=1).encode(
            x=x, y=y))  # fmt: skip
    shown = [layer for layer in layers if layer.data.values]
    return part(alt.layer(*shown).properties(width=GAINS, height=tall))


def _drawable(fix: Forecast) -> bool:
    gains: tuple[Estimate, ...] = (fix.predicted, fix.measured)
    return all(math.isfinite(e.value) and e.value > 0 for e in gains)
