"""The panel as a picture, for places without a browser: GitHub, nbconvert, a slide."""

from __future__ import annotations

import copy
import textwrap
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from constraintlab.panel import lanes as lanes_
from constraintlab.panel import (
    latencytitle,
    specs,
    still_lanes,
    still_maps,
    still_streaming,
    streamview,
)
from constraintlab.panel import maps as maps_
from constraintlab.panel.charts import ecdf, timeline, worth
from constraintlab.panel.charts.theme import config
from constraintlab.panel.kvmap import KVMap
from constraintlab.panel.latency import Latency
from constraintlab.panel.palette import MARKS, THEMES, kind
from constraintlab.panel.parts import Lanes, Series
from constraintlab.panel.png import packed
from constraintlab.panel.streaming import Stream

WIDTH = 960
BESIDE = 150
"""Room for the labels right of the timeline."""
LEFT = -112
"""Where titles and the strip begin, left of the plots: over the names of the resources."""
SCALE = 1.5
"""Pixels of the picture for each of its units."""
RAISED = 21
"""How far the roofline's title stands above its plot, to be level with that of the worth chart."""


class Canvases(NamedTuple):
    """KV maps; request lanes, and what ran and waited before; streams, and before; latencies."""

    maps: Sequence[KVMap] = ()
    lanes: Lanes | None = None
    trail: Sequence[tuple[float, int, int]] = ()
    stream: Stream | None = None
    flow: Sequence[tuple[float, ...]] = ()
    latency: Latency | None = None


EMPTY = Canvases()


def spec(
    view: dict,
    text: str,
    series: Sequence[Series],
    samples: Sequence[Sequence[float]],
    sources: Sequence[str],
    theme: str,
    canvases: Canvases = EMPTY,
    scale: float = SCALE,
) -> dict:
    """One Vega-Lite spec of the verdict, the charts that have data, and the strip."""
    c = THEMES[theme]
    parts = [_strip(view["strip"], c)]
    lines, ends = timeline.rows(series, samples, sources, theme)
    if lines:
        title = timeline.title(series, samples)
        parts.insert(0, _chart("timeline", theme, WIDTH - BESIDE, title))
    parts[:0] = _canvases(canvases, theme, scale)
    pair = []
    if view["worth"]:
        width = WIDTH - BESIDE if canvases.maps and not view["roof"] else 250
        pair.append(_chart("worth", theme, width, view["titles"]["worth"]))
    if view["roof"]:
        pair.append(_chart("roofline", theme, 490, view["titles"]["roofline"], -48, RAISED))
    if pair:
        parts.insert(0, {"hconcat": pair, "spacing": 76})
    heading = " · ".join([view["title"], *view["chips"]])
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "config": {**config(theme), "background": c["page"], "concat": {"spacing": 22}},
        "padding": 16,
        "title": {"text": textwrap.wrap(_kept(text), 116), "fontSize": 15, "fontWeight": "normal",
                  "anchor": "start", "offset": 18, "subtitle": [heading], "subtitleFontSize": 12,
                  "subtitlePadding": 8},
        "vconcat": parts,
        "bounds": "full",
        "align": "none",
        "datasets": {"worth": view["worth"], "roof": view["roof"], "dots": view["dots"],
                     "rows": lines, "ends": ends},
    }  # fmt: skip


def _chart(
    name: str, theme: str, width: int, title: tuple[str, str], left: int = LEFT, offset: int = 12
) -> dict:
    """A chart of the live panel as a part of the picture: same spec, fixed width, own title."""
    chart = copy.deepcopy(specs.stored()[theme][name])
    for key in ("$schema", "padding", "config", "autosize"):
        chart.pop(key, None)
    for layer in chart["layer"]:
        scale = layer["encoding"].get("x", {}).get("scale") or {}
        if "rangeMax" in scale:
            # A part of a whole has no signal for its width.
            scale["rangeMax"] = width - worth.BESIDE
    return chart | {"width": width, "title": _title(title, 56, left, offset)}


def _title(title: tuple[str, str], letters: int, left: int = LEFT, offset: int = 12) -> dict:
    finding, shows = title
    return {"text": textwrap.wrap(finding, letters), "subtitle": textwrap.wrap(shows, 70),
            "anchor": "start", "frame": "group", "dx": left, "fontSize": 13,
            "subtitleFontSize": 11, "offset": offset}  # fmt: skip


def _canvases(all_: Canvases, theme: str, scale: float) -> Iterable[dict]:
    maps, lanes, trail, stream, flow, latency = all_
    if maps:
        made, height = still_maps.draw(maps, LEFT, WIDTH, theme, scale)
        kinds = [kind(m.source) for m in maps]
        yield made.chart(WIDTH, height, _title(_sourced(maps_.title(maps), kinds), 130))
    if lanes is not None:
        told = lanes_.title(lanes, lanes_.window(lanes, trail))
        made, height = still_lanes.draw(lanes, trail, WIDTH - BESIDE, theme)
        told = _sourced(told, [kind(lanes.source)])
        yield made.chart(WIDTH - BESIDE, height, _title(told, 130))
    if stream is not None:
        made, height = still_streaming.draw(stream, flow, WIDTH - BESIDE, theme)
        told = streamview.title(stream)
        told = _sourced(told, [s["kind"] for s in streamview.sources(stream)])
        yield made.chart(WIDTH - BESIDE, height, _title(told, 130))
    if latency is not None and latency.drawn:
        told = _sourced(latencytitle.title(latency), [kind(latency.source)])
        yield {**ecdf.both(latency, theme, WIDTH - 40), "title": _title(told, 130)}


def _sourced(title: tuple[str, str], kinds: Sequence[str]) -> tuple[str, str]:
    return title[0], f"{title[1]} · {', '.join(dict.fromkeys(kinds))}"


def _kept(text: str) -> str:
    """`text` in which a line never ends between a mark and its name."""
    for mark in MARKS.values():
        text = text.replace(f"{mark} ", f"{mark}\u00a0")
    return text


def _strip(cells: Sequence[dict], c: dict) -> dict:
    values = [
        {"lab": f"lab {cell['lab']}", "colour": cell.get("colour", c["page"]),
         "note": textwrap.wrap(_kept(f"{cell['where']} {cell['note']}".strip()), 16)[:3],
         "ink": cell.get("ink", c["quiet"]),
         "edge": c["text"] if cell["here"] else cell.get("colour", c["line"])}
        for cell in cells
    ]  # fmt: skip

    def plain(field: str) -> dict:
        return {"field": field, "type": "nominal", "scale": None}

    def line(y: int, field: str, size: int) -> dict:
        mark = {"type": "text", "align": "left", "baseline": "top", "fontSize": size, "dx": -46}
        return {
            "mark": mark,
            "encoding": {"y": {"value": y}, "text": {"field": field}, "color": plain("ink")},
        }

    box = {"type": "rect", "cornerRadius": 4, "strokeWidth": 1.5}
    return {
        "data": {"values": values},
        "width": WIDTH,
        "height": 58,
        "title": {"text": "Migration: where your constraint has been", "anchor": "start",
                  "frame": "group", "dx": LEFT, "fontSize": 13, "offset": 8},
        "encoding": {"x": {"field": "lab", "type": "nominal", "axis": None,
                           "scale": {"paddingInner": 0.06, "paddingOuter": 0,
                                     "range": [LEFT, WIDTH]}}},
        "layer": [
            {"mark": box, "encoding": {"color": plain("colour"), "stroke": plain("edge")}},
            line(7, "lab", 11),
            line(24, "note", 10),
        ],
    }  # fmt: skip


def png(
    view: dict,
    text: str,
    series: Sequence[Series],
    samples: Sequence[Sequence[float]],
    sources: Sequence[str],
    theme: str = "light",
    scale: float = SCALE,
    canvases: Canvases = EMPTY,
) -> bytes:
    """The picture as PNG bytes."""
    import vl_convert

    made = spec(view, text, series, samples, sources, theme, canvases, scale)
    return packed(vl_convert.vegalite_to_png(made, scale=scale))
