"""The live panel: it draws samples and verdicts, and knows nothing of what made them."""

from constraintlab.panel.kvmap import SHARED, KVMap
from constraintlab.panel.latency import Curve, Latency
from constraintlab.panel.parts import PHASES, Lane, Lanes, RooflinePoint, Series, StripCell
from constraintlab.panel.streaming import Stream
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
