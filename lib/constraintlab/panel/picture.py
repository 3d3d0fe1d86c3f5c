"""`Picture`: a chart that stands still, drawn without a browser, light or dark as the page is."""

from __future__ import annotations

import base64
from collections.abc import Callable
from html import escape

from constraintlab.panel.png import packed

_DARK = 'body[data-jp-theme-light="false"] img'
STYLE = (
    f"<style>{_DARK}.cl-dark-only{{display:block!important}}"
    f"{_DARK}.cl-light-only{{display:none!important}}</style>"
)
"""JupyterLab says on the body which theme it shows. It shows every image of an output, and drops
styles from notebooks that it does not trust: so the dark one is hidden where it stands."""

HIDDEN = {"light": "", "dark": ";display:none"}


def spoken(text: str) -> dict:
    """The metadata of an output whose PNG these words describe: nbconvert makes them its `alt`."""
    return {"image/png": {"alt": text}}


class Picture:
    """`spec(theme)` gives a Vega-Lite spec; `text` is what a reader without pictures gets."""

    def __init__(self, spec: Callable[[str], dict], text: str, scale: float = 1.25) -> None:
        self._spec, self.text, self._scale = spec, text, scale

    def spec(self, theme: str = "light") -> dict:
        """With the words as its description, which an SVG of it says to a screen reader."""
        return {**self._spec(theme), "description": self.text}

    def png(self, theme: str = "light") -> bytes:
        import vl_convert

        return packed(vl_convert.vegalite_to_png(self.spec(theme), scale=self._scale))

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    def _repr_mimebundle_(self, **_) -> tuple[dict, dict]:
        drawn = {t: base64.b64encode(self.png(t)).decode() for t in ("light", "dark")}
        images = "".join(
            f'<img class="cl-{theme}-only" alt="{escape(self.text)}" '
            f'style="max-width:100%{HIDDEN[theme]}" src="data:image/png;base64,{data}">'
            for theme, data in drawn.items()
        )
        bundle = {
            "text/plain": self.text,
            "text/html": STYLE + images,
            "image/png": drawn["light"],
        }
        return bundle, spoken(self.text)
