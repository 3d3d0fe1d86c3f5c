"""The live panel: it draws samples and verdicts, and knows nothing of what made them."""

from constraintlab.panel.parts import RooflinePoint, Series, StripCell
from constraintlab.panel.widget import Panel

__all__ = ["Panel", "RooflinePoint", "Series", "StripCell"]
