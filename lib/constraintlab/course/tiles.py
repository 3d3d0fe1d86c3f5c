"""`TileSlider`: choose a tile of our CPU flash, and its time appears beside those tried before."""

from __future__ import annotations

from html import escape

from constraintlab.attention.rung import Shape
from constraintlab.course.ladder import Tile, try_tiles
from constraintlab.course.show import si

CONTROLS = ("tile-queries", "tile-keys")
"""Controls a person uses here; each has a browser test that it reacts."""

SIZES = (16, 32, 64, 128, 256, 512, 1024)


class TileSlider:
    """Two sliders, queries and keys of a tile; each move measures, about a tenth of a second.

    shape: the problem. tried: tiles measured so far, to which moves add.
    """

    def __init__(self, shape: Shape, tried: list[Tile]) -> None:
        self.shape, self.tried = shape, {(t.block, t.tile): t for t in tried}
        self._last: tuple[int, int] | None = None
        self._box = None

    def measure(self, block: int, tile: int) -> Tile:
        """Time this tile, if it was not tried yet, and keep it."""
        if (block, tile) not in self.tried:
            (self.tried[block, tile],) = try_tiles(self.shape, [(block, tile)], rounds=3)
        self._last = (block, tile)
        return self.tried[block, tile]

    def html(self) -> str:
        """Every tile tried, the fastest first, as bars; the last one chosen is marked."""
        found = sorted(self.tried.values(), key=lambda t: t.ms)
        longest = max((t.ms for t in found), default=1.0)
        rows, cell = [], '<td style="padding:2px 10px;text-align:left">'
        for t in found:
            here = (t.block, t.tile) == self._last
            bar = f'<div style="background:#8a919c;height:10px;width:{220 * t.ms / longest:.0f}px">'
            name = escape(f"{t.block} × {t.tile}{' ◀' if here else ''}")
            weight = 700 if here else 400
            rows.append(
                f'<tr style="font-weight:{weight}">{cell}{name}</td>'
                f"{cell}{si(t.nbytes, 'B')}</td>{cell}{t.ms:.1f} ms</td>{cell}{bar}</div></td></tr>"
            )
        # The table of a widget has no style of the notebook's: without this, heads touch.
        heads = ("queries × keys", "scores of a tile", "one call", "")
        head = "".join(f'<th style="padding:2px 10px;text-align:left">{h}</th>' for h in heads)
        head = f"<tr>{head}</tr>"
        style = "font-variant-numeric:tabular-nums;margin-left:0;line-height:1.5"
        return f'<table style="{style}">{head}{"".join(rows)}</table>'

    def widget(self):
        """The ipywidgets box."""
        import ipywidgets as w

        if self._box is None:
            shown = w.HTML(self.html())
            sliders = [
                w.SelectionSlider(
                    options=SIZES, value=256, description=name, continuous_update=False
                )
                for name in ("queries", "keys")
            ]

            def moved(_):
                self.measure(*(s.value for s in sliders))
                shown.value = self.html()

            for slider, name in zip(sliders, CONTROLS, strict=True):
                slider.observe(moved, "value")
                slider.add_class(name)
            self._box = w.VBox([w.HBox(sliders), shown])
        return self._box

    def _repr_mimebundle_(self, **kwargs) -> dict:
        bundle = self.widget()._repr_mimebundle_(**kwargs) or {}
        bundle["text/plain"] = "Tile sliders: open in JupyterLab to try other tiles."
        bundle["text/html"] = self.html()
        return bundle
