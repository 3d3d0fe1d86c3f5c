"""How long requests took: the share this fast or faster, over seconds on a log axis.

For a finished run in a notebook, and in the still picture of the panel, where it is drawn as
`src/latency.js` draws it. The axes are explained in `latencyview.py`.
"""

from __future__ import annotations

import textwrap

from constraintlab.panel import latencyview as view
from constraintlab.panel.charts.theme import TICK, config, part
from constraintlab.panel.drawing import SOLID, Drawing
from constraintlab.panel.latency import Latency
from constraintlab.panel.latencytitle import cells, columns, text, title
from constraintlab.panel.palette import THEMES, TONES, kind
from constraintlab.panel.picture import Picture
from constraintlab.panel.streamtitle import wait

WIDTH, HEIGHT = 470, 190
BESIDE = 64
"""Between the curves and the table."""

LETTER = 8.5
"""Pixels that a letter of a curve's name takes, at most but for a few."""

ROW, CELL, NAME = 19, 62, 128


def rows(latency: Latency) -> list[dict]:
    """The corners of each curve's steps: `{curve, place, x (s), y (nines)}`.

    They end at the largest sample, which nothing exceeds: the axis has no place above it.
    """
    low, made = view.span(latency)[0], []
    for c in latency.drawn:
        level = 0.0
        for seconds, beyond in c.points().tolist():
            at = max(seconds, low)
            for y in (level, view.nines(beyond) if beyond > 0 else level):
                made.append({"curve": c.name, "place": len(made), "x": at, "y": y})
            level = made[-1]["y"]
    return made


def labels(latency: Latency, width: float = WIDTH) -> list[dict]:
    """Each curve's name at its end: `{curve, x, y, dx, dy, align}`, none over another."""
    (low, high), top, taken, made = view.span(latency), view.top(latency), [], []
    ends = {row["curve"]: row for row in rows(latency)}
    for c in latency.drawn:
        end = ends[c.name]
        x = width * view.nines(low / end["x"]) / view.nines(low / high)
        y, wide = HEIGHT * (1 - min(end["y"], top) / top), LETTER * len(c.name)
        right = x + 7 + wide <= width + BESIDE - 8
        left, at = (x + 7, y) if right else (x - 7 - wide, y - 11)
        while any(abs(at - b) < 14 and left < a + w and a < left + wide for a, b, w in taken):
            at += 14
        taken.append((left, at, wide))
        made.append({"curve": c.name, "x": end["x"], "y": end["y"], "dx": 7 if right else -7,
                     "dy": at - y, "align": "left" if right else "right"})  # fmt: skip
    return made


def inks(latency: Latency, theme: str) -> dict[str, dict]:
    """The look of each curve: `{ink, dash, wide}`."""
    return {
        c.name: {"ink": TONES[theme][look.tone], "dash": list(look.dash), "wide": look.wide}
        for c, look in zip(latency.curves, view.LOOKS, strict=False)
    }


def plot(latency: Latency, theme: str, width: float = WIDTH) -> dict:
    """The curves as a Vega-Lite chart without title or configuration."""
    import altair as alt

    c, ink = THEMES[theme], inks(latency, theme)
    # Looks stand in the rows: by a scale they would take the colours of the charts beside this one.
    tone = alt.Color("ink:N", scale=None)
    dash, wide = alt.StrokeDash("dash:N", scale=None), alt.StrokeWidth("wide:Q", scale=None)
    x = alt.X("x:Q", title=view.axes(latency)[0],
              scale=alt.Scale(type="log", domain=list(view.span(latency)), nice=False, clamp=True),
              axis=alt.Axis(values=[t for t, _ in view.ticks(latency)], labelExpr=TICK,
                            grid=False, labelOverlap="greedy", labelSeparation=6))  # fmt: skip
    # The levels are marks, so of the axis its title alone is left.
    bare = alt.Axis(labels=False, ticks=False, domain=False, grid=False, titlePadding=44)
    y = alt.Y("y:Q", title=view.axes(latency)[1], axis=bare,
              scale=alt.Scale(domain=[0, view.top(latency)], nice=False, clamp=True))  # fmt: skip

    def of(values):
        looked = [row | ink.get(row.get("curve"), {}) for row in values]
        return alt.Chart(alt.InlineData(values=looked))

    levels = of([{"y": at, "text": told} for at, told in view.levels(latency)])
    grid = levels.mark_rule(color=c["line"]).encode(y=y)
    shares = levels.mark_text(align="right", dx=-7, fontSize=11, color=c["quiet"])
    layers = [grid, shares.encode(x=alt.value(0), y=y, text="text:N")]
    if latency.slo is not None:
        limit = of([{"x": latency.slo, "text": f"SLO {wait(latency.slo)}"}])
        rule = limit.mark_rule(color=c["text"], strokeDash=[2, 2]).encode(x=x)
        # At the foot, where curves are far to the left: their names stand at the top.
        said = limit.mark_text(align="right", dx=-5, dy=-8, fontSize=11, color=c["text"])
        layers += [rule, said.encode(x=x, y=alt.value(HEIGHT), text="text:N")]
    line = of(rows(latency)).mark_line(strokeJoin="miter")
    layers.append(line.encode(x=x, y=y, color=tone, strokeDash=dash, strokeWidth=wide,
                              detail="curve:N", order=alt.Order("place:Q")))  # fmt: skip
    dots = of([{"curve": curve.name, "x": at, "y": n} for curve in latency.drawn
               for at, n in view.marks(curve)])  # fmt: skip
    layers.append(dots.mark_point(filled=True, opacity=1, size=42).encode(x=x, y=y, color=tone))
    for row in labels(latency, width):
        look = {"align": row["align"], "dx": row["dx"], "dy": row["dy"], "fontWeight": "bold"}
        name = of([row])
        halo = name.mark_text(**look, color=c["page"], stroke=c["page"], strokeWidth=4)
        layers.append(halo.encode(x=x, y=y, text="curve:N"))
        layers.append(name.mark_text(**look).encode(x=x, y=y, text="curve:N", color=tone))
    return part(alt.layer(*layers).properties(width=width, height=HEIGHT))


def table(latency: Latency, theme: str) -> dict:
    """Percentiles and counts, a row a curve, as a Vega-Lite chart."""
    made, c, heads = Drawing(), THEMES[theme], columns(latency)
    width = NAME + CELL * len(heads)
    looks = inks(latency, theme)

    def at(column: int) -> float:
        return width - CELL * (len(heads) - 1 - column)

    for k, head in enumerate(heads):
        made.words(at(k), ROW / 2, head, c["quiet"], "right")
    for i, curve in enumerate(latency.curves):
        y, look = (i + 1.5) * ROW, looks[curve.name]
        made.line(0, y - ROW / 2, width, y - ROW / 2, c["line"], SOLID)
        made.line(2, y, 26, y, look["ink"], look["dash"], look["wide"])
        made.words(33, y, curve.name, c["text"], weight="bold")
        for k, told in enumerate(cells(latency, curve)):
            made.words(at(k), y, told, c["quiet" if told.startswith("n <") else "text"], "right")
    return made.chart(width, HEIGHT, {})


def both(latency: Latency, theme: str, width: float = 0) -> dict:
    """Curves and table side by side; width: of both, for the still picture."""
    beside = table(latency, theme)
    room = width - BESIDE - beside["width"] if width else WIDTH
    return {"hconcat": [plot(latency, theme, room), beside], "spacing": BESIDE}


def spec(latency: Latency, theme: str) -> dict:
    """The whole Vega-Lite spec of a finished run."""
    finding, shows = title(latency)
    return {
        **both(latency, theme),
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "title": {"text": textwrap.wrap(finding, 110), "fontSize": 14, "anchor": "start",
                  "subtitle": f"{shows} · {kind(latency.source)}", "offset": 18},
        "config": {**config(theme), "background": THEMES[theme]["page"]},
        "padding": 12,
    }  # fmt: skip


def picture(latency: Latency) -> Picture:
    """To be shown in a notebook. Raises ValueError where no request is done."""
    if not latency.drawn:
        raise ValueError(f"{latency.name}: no samples: draw it once a {latency.of} is done")
    return Picture(lambda theme: spec(latency, theme), text(latency))
