"""The live panel: it draws samples and verdicts, and knows nothing of what made them.

The widget itself is imported when it is first asked for: without a notebook's packages its parts
are still there, for a command line and for a machine that only measures.
"""

from typing import TYPE_CHECKING

from constraintlab.panel.kvmap import SHARED, KVMap
from constraintlab.panel.latency import Curve, Latency
from constraintlab.panel.parts import PHASES, Lane, Lanes, RooflinePoint, Series, StripCell
from constraintlab.panel.streaming import Stream

if TYPE_CHECKING:
    from constraintlab.panel.widget import CONTROLS, Panel

__all__ = [
    "CONTROLS",
    "PHASES",
    "SHARED",
    "Curve",
    "KVMap",
    "Lane",
    "Lanes",
    "Latency",
    "Panel",
    "RooflinePoint",
    "Series",
    "Stream",
    "StripCell",
]


def __getattr__(name: str):
    if name not in ("CONTROLS", "Panel"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from constraintlab.panel import widget

    return getattr(widget, name)
