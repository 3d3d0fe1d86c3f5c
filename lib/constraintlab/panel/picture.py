"""`Picture`: a chart that stands still, drawn without a browser, light or dark as the page is."""

from __future__ import annotations

import base64
from collections.abc import Callable
from html import escape

from constraintlab.panel.png import packed

STYLE = (
    "<style>.cl-dark-only{display:none}"
    'body[data-jp-theme-light="false"] .cl-dark-only{display:inline}'
    'body[data-jp-theme-light="false"] .cl-light-only{display:none}</style>'
)
"""JupyterLab says on the body which theme it shows."""


class Picture:
    """`spec(theme)` gives a Vega-Lite spec; `text` is what a reader without pictures gets."""

    def __init__(self, spec: Callable[[str], dict], text: str, scale: float = 1.25) -> None:
        self._spec, self.text, self._scale = spec, text, scale

    def png(self, theme: str = "light") -> bytes:
        import vl_convert

        return packed(vl_convert.vegalite_to_png(self._spec(theme), scale=self._scale))

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    def _repr_mimebundle_(self, **_) -> dict:
        drawn = {t: base64.b64encode(self.png(t)).decode() for t in ("light", "dark")}
        images = "".join(
            f'<img class="cl-{theme}-only" alt="{escape(self.text)}" style="max-width:100%" '
            f'src="data:image/png;base64,{data}">'
            for theme, data in drawn.items()
        )
        return {
            "text/plain": self.text,
            "text/html": STYLE + images,
            "image/png": drawn["light"],
        }
