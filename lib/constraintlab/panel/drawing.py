"""`Drawing`: boxes, lines, words and pictures at places in pixels, as a part of a still picture."""

from __future__ import annotations

import base64

SOLID = [1, 0]


class Drawing:
    """Collects marks; `chart` makes a Vega-Lite chart of them. x to the right, y down."""

    def __init__(self) -> None:
        self._boxes: list[dict] = []
        self._lines: dict[bool, list[dict]] = {True: [], False: []}
        self._words: dict[tuple[str, str, int], list[dict]] = {}
        self._images: list[dict] = []

    def box(
        self,
        x: float,
        y: float,
        x2: float,
        y2: float,
        fill: str = "transparent",
        stroke: str = "transparent",
        dash: list[int] = SOLID,
        strength: float = 1.0,
    ) -> None:
        """A rectangle between two corners."""
        place = {"x": x, "y": y, "x2": x2, "y2": y2}
        look = {"fill": fill, "stroke": stroke, "dash": dash, "strength": strength}
        self._boxes.append(place | look)

    def line(
        self, x: float, y: float, x2: float, y2: float, ink: str, dash: list[int] = SOLID,
        wide: float = 1.0, strength: float = 1.0, under: bool = False,
    ) -> None:  # fmt: skip
        """A straight line, over the boxes or under them."""
        place = {"x": x, "y": y, "x2": x2, "y2": y2}
        look = {"ink": ink, "dash": dash, "wide": wide, "strength": strength}
        self._lines[under].append(place | look)

    def words(
        self, x: float, y: float, text: str, ink: str, align: str = "left", weight: str = "normal",
        size: int = 11, strength: float = 1.0,
    ) -> None:  # fmt: skip
        """One line of text, its middle at y."""
        row = {"x": x, "y": y, "text": text, "ink": ink, "strength": strength}
        self._words.setdefault((align, weight, size), []).append(row)

    def image(self, x: float, y: float, width: float, height: float, png: bytes) -> None:
        """A picture; its pixels stay sharp."""
        url = f"data:image/png;base64,{base64.b64encode(png).decode()}"
        self._images.append({"x": x, "y": y, "width": width, "height": height, "url": url})

    def chart(self, width: float, height: float, title: dict) -> dict:
        """All of it as a chart that is this wide and high."""
        layers = [_rules(self._lines[True])]
        for dash in sorted({tuple(row["dash"]) for row in self._boxes}):
            # By a field, the dash of a rectangle is not drawn.
            mark = {"type": "rect", "strokeWidth": 1, "strokeDash": dash}
            rows = [row for row in self._boxes if tuple(row["dash"]) == dash]
            looks = {"fill": "fill", "stroke": "stroke", "opacity": "strength"}
            layers.append(_layer(mark, rows, "x2", "y2", **looks))
        layers.append(_rules(self._lines[False]))
        for (align, weight, size), rows in self._words.items():
            mark = {"type": "text", "align": align, "fontWeight": weight, "fontSize": size,
                    "baseline": "middle"}  # fmt: skip
            layer = _layer(mark, rows, color="ink", opacity="strength")
            layer["encoding"]["text"] = {"field": "text"}
            layers.append(layer)
        for row in self._images:
            mark = {"type": "image", "align": "left", "baseline": "top", "smooth": False,
                    "width": row["width"], "height": row["height"]}  # fmt: skip
            layer = _layer(mark, [row])
            layer["encoding"]["url"] = {"field": "url", "type": "nominal"}
            layers.append(layer)
        shown = [layer for layer in layers if layer["data"]["values"]]
        return {"width": width, "height": height, "title": title, "layer": shown}


def _rules(rows: list[dict]) -> dict:
    looks = {"color": "ink", "strokeDash": "dash", "strokeWidth": "wide", "opacity": "strength"}
    return _layer({"type": "rule"}, rows, "x2", "y2", **looks)


def _layer(mark: dict, rows: list[dict], *ends: str, **fields: str) -> dict:
    """A layer of one mark, its fields taken as they are: pixels, colours, dashes."""
    places = {at: {"field": at, "type": "quantitative", "scale": None, "axis": None} for at in "xy"}
    looks = {to: {"field": field, "type": "nominal", "scale": None} for to, field in fields.items()}
    encoding = places | {end: {"field": end} for end in ends} | looks
    return {"data": {"values": rows}, "mark": mark, "encoding": encoding}
