"""The panel as a picture, for places without a browser: GitHub, nbconvert, a slide."""

from __future__ import annotations

import textwrap

from constraintlab.panel import specs
from constraintlab.panel.palette import THEMES

WIDTH = 900


def spec(state: dict, text: str, theme: str) -> dict:
    """One Vega-Lite spec of the verdict, the worth chart, the roofline and the strip."""
    c = THEMES[theme]
    worth, roof = specs.worth(theme).to_dict(), specs.roofline(theme).to_dict()
    worth |= {"width": WIDTH // 2 - 190, "title": _title(state["titles"]["worth"], c)}
    roof |= {"width": WIDTH // 2 - 80, "title": _title(state["titles"]["roofline"], c)}
    for chart in (worth, roof):
        chart.pop("$schema", None)
        chart.pop("padding", None)
        chart.pop("config", None)
    heading = " · ".join([state["title"], *state["chips"]])
    parts = [{"hconcat": [worth, roof], "spacing": 60}, _strip(state["strip"], c)]
    if not state["worth"]:
        parts = parts[1:]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "config": {**specs.config(theme), "background": c["page"], "concat": {"spacing": 18}},
        "padding": 14,
        "title": {"text": [heading, *textwrap.wrap(text, 110)], "fontSize": 15, "fontWeight": "normal",
                  "anchor": "start", "color": c["text"], "offset": 14},
        "vconcat": parts,
        "align": "none",
        "bounds": "full",
        "datasets": {k: state[k] for k in ("worth", "roof", "dots")},
    }  # fmt: skip


def _title(title: tuple[str, str], c: dict) -> dict:
    finding, shows = title
    return {"text": finding, "subtitle": shows, "anchor": "start", "fontSize": 13,
            "subtitleFontSize": 11, "color": c["text"], "subtitleColor": c["quiet"]}  # fmt: skip


def _strip(cells: list[dict], c: dict) -> dict:
    values = [
        {"lab": f"lab {cell['lab']}", "note": textwrap.wrap(cell["note"], 14)[:2], "colour": cell.get("colour", c["card"]),
         "ink": cell.get("ink", c["quiet"])}
        for cell in cells
    ]  # fmt: skip
    x = {"field": "lab", "type": "nominal", "axis": None, "scale": {"paddingInner": 0.06}}
    ink = {"field": "ink", "type": "nominal", "scale": None}
    return {
        "data": {"values": values},
        "width": WIDTH,
        "height": 54,
        "title": {"text": "Migration: where your constraint has been", "anchor": "start",
                  "fontSize": 13, "color": c["text"]},
        "encoding": {"x": x},
        "layer": [
            {"mark": {"type": "rect", "cornerRadius": 4, "stroke": c["line"]},
             "encoding": {"color": {"field": "colour", "type": "nominal", "scale": None}}},
            {"mark": {"type": "text", "dy": -16, "fontSize": 11},
             "encoding": {"text": {"field": "lab"}, "color": ink}},
            {"mark": {"type": "text", "dy": -1, "fontSize": 10, "limit": 96, "baseline": "top"},
             "encoding": {"text": {"field": "note"}, "color": ink}},
        ],
    }  # fmt: skip


def png(state: dict, text: str, theme: str = "light", scale: float = 1.5) -> bytes:
    """The picture as PNG bytes."""
    import vl_convert

    return vl_convert.vegalite_to_png(spec(state, text, theme), scale=scale)
