"""`Trail`: what a view's figures were in the last seconds, and how many of those to draw."""

from __future__ import annotations

from collections import deque

from constraintlab.panel.charts.timeline import SECONDS

WINDOWS = (1.0, 2.0, 5.0, 8.0, 12.0, SECONDS)
"""Seconds drawn: the shortest of these that holds what there is."""

STEP = 0.1
"""Seconds between two points."""


class Trail:
    """The last seconds of (t, figure …), at most ten a second, the newest always."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, ...]] = deque()

    def add(self, now: float, *figures: float) -> None:
        """A clock that restarts empties the trail."""
        points = self._points
        if points and now < points[-1][0]:
            points.clear()
        if len(points) > 1 and points[-1][0] - points[-2][0] < STEP:
            points.pop()
        points.append((now, *figures))
        while len(points) > 1 and points[1][0] <= now - SECONDS:
            points.popleft()

    def points(self) -> list[tuple[float, ...]]:
        """Oldest first; the first may lie before the window, for the step that enters it."""
        return list(self._points)


def shortest(past: float) -> float:
    """Seconds to draw; a run that has just begun would be a sliver of the longest."""
    return next((w for w in WINDOWS if past <= w), SECONDS)
