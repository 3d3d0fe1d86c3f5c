"""`Trail`: how fast counters that only grow have grown lately."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

WINDOW = 0.5
"""Seconds over which rates are taken: the kernel counts CPU time in ticks of 10 ms, so one
sample's tenth of a second on two cores would know only steps of 5%."""


class Trail:
    """Remembers counters over the last `window` seconds."""

    def __init__(self, window: float = WINDOW) -> None:
        self.window = window
        self._past: deque[tuple[float, tuple[float, ...]]] = deque()

    def growth(self, now: float, *counters: float) -> tuple[float, Sequence[float]] | None:
        """(seconds, each counter's growth) since about `window` seconds ago; None at first.

        Until the window is full it is since the first call. A counter that falls back (a CPU
        went offline, a group was made anew) has grown by 0.
        """
        past = self._past
        past.append((now, counters))
        while len(past) > 2 and past[1][0] <= now - self.window:
            past.popleft()
        then, before = past[0]
        if now <= then:
            return None
        return now - then, [max(0.0, a - b) for a, b in zip(counters, before, strict=True)]
