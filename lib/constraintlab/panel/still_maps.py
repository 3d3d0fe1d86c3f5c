"""The KV maps in the still picture: the same pixels as on the page, names and figures over them."""

from __future__ import annotations

from collections.abc import Sequence

from constraintlab.panel import raster
from constraintlab.panel.drawing import Drawing
from constraintlab.panel.kvmap import SHARED, KVMap
from constraintlab.panel.maps import pool
from constraintlab.panel.palette import inks
from constraintlab.panel.png import encoded

BETWEEN = 28
HEAD = 24
KEY = 26


def draw(maps: Sequence[KVMap], left: float, right: float, theme: str, scale: float) -> tuple:
    """(drawing, height): the pools side by side from `left` to `right`."""
    made, ink = Drawing(), inks(theme, "page")
    width = (right - left - BETWEEN * (len(maps) - 1)) / len(maps)
    bottom = 0.0
    for i, m in enumerate(maps):
        x = left + i * (width + BETWEEN)
        g = raster.grid(m.blocks, int((width - 10) * scale), scale)
        wide, high = g.width / scale, g.height / scale
        _title(made, pool(m), x, x + max(wide + 10, 470), ink)
        made.box(x, HEAD - 5, x + wide + 10, HEAD + high + 5, stroke=ink["pool"])
        made.image(x + 5, HEAD, wide, high, _png(m, g, ink))
        bottom = max(bottom, HEAD + high + 5)
    _legend(made, maps, left, bottom + 16, ink, scale)
    return made, bottom + KEY


def _title(made: Drawing, told: dict, x: float, right: float, ink: dict) -> None:
    made.words(x, 6, "■", ink["pool"], size=12)
    made.words(x + 15, 6, f"{told['name']}: {told['holds']}", ink["text"], weight="bold", size=12)
    for what, text in reversed(told["figures"]):
        made.words(right, 6, text, ink["text"], "right", "bold", 12)
        made.words(right - 42, 6, what, ink["quiet"], "right", size=12)
        right -= 104


def _legend(made: Drawing, maps: Sequence[KVMap], x: float, y: float, ink: dict, scale: float):
    keys = [(1, 1, "filled (tones tell requests apart)"), (1, 0, "reserved, empty"),
            (0, 0, "free")]  # fmt: skip
    if any(m.shared for m in maps):
        keys.append((SHARED, 1, "shared by several"))
    cell, line = round(13 * scale), max(1, int(scale + 0.5))
    for owner, filled, text in keys:
        two = KVMap("key", 1, [owner] * 2, [filled] * 2)
        picture = _png(two, raster.Grid(cell, 2, 1, 2 * line, line), ink)
        made.image(x, y - 6, 2 * cell / scale, cell / scale, picture)
        made.words(x + 2 * cell / scale + 5, y, text, ink["quiet"])
        x += 52 + 6.2 * len(text)


def _png(m: KVMap, g: raster.Grid, ink: dict) -> bytes:
    return encoded(g.width, g.height, raster.pixels(m, g, ink).tobytes())
