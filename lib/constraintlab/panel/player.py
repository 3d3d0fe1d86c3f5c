"""`Player`: scrubs through what panels drew. The page draws each frame as a panel's page does."""

from __future__ import annotations

import anywidget
import traitlets

from constraintlab.panel.widget import STATIC

CONTROLS = ("replay-tab", "replay-step", "replay-play", "replay-slider")
"""Controls a person uses here; each has a browser test that it reacts."""


class Player(anywidget.AnyWidget):
    """Tabs, each with steps, a slider and the panel at that moment.

    tape: JSON, compressed with gzip, as `recordings.play` makes it. plain: the words for where
    there is no page.
    """

    _esm = STATIC / "panel.js"
    _css = STATIC / "panel.css"
    tape = traitlets.Bytes(b"").tag(sync=True)

    def __init__(self, tape: bytes, plain: str) -> None:
        super().__init__(tape=tape)
        self._plain = plain

    def _repr_mimebundle_(self, **kwargs):
        bundle, *rest = super()._repr_mimebundle_(**kwargs)
        return ({**bundle, "text/plain": self._plain}, *rest)
