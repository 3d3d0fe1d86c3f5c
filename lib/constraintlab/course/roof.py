"""`Roof`: an engine's runs under a panel's roofline, the earlier ones as ghosts."""

from __future__ import annotations

from dataclasses import replace

from constraintlab.engine.window import Window
from constraintlab.limits.capacities import Capacities


def peak(caps: Capacities) -> float:
    """The ceiling of the labs' engines, FLOP/s."""
    return caps.compute["float32"].value


class Roof:
    """What a panel's roofline has so far."""

    def __init__(self, panel) -> None:
        self._panel, self._points = panel, []

    def draw(self, caps: Capacities) -> None:
        """With these ceilings."""
        self._panel.set_roofline([("float32", peak(caps))], caps.bandwidth.value, self._points)

    def add(self, name: str, window: Window, caps: Capacities) -> None:
        """A run; an engine that computed nothing in it has no point."""
        from constraintlab.panel import RooflinePoint

        flops, moved = window.flops(), window.bytes()
        if flops and moved:
            ghosts = [replace(p, ghost=True) for p in self._points if p.name != name]
            self._points = [*ghosts, RooflinePoint(name, flops / moved, flops)]
        self.draw(caps)
