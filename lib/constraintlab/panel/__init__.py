"""The live panel: it draws samples and verdicts, and knows nothing of what made them."""

from constraintlab.panel.parts import RooflinePoint, Series, StripCell
from constraintlab.panel.widget import CONTROLS, Panel

__all__ = ["CONTROLS", "Panel", "RooflinePoint", "Series", "StripCell"]
