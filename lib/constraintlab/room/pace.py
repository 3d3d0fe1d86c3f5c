"""How often somebody may ask: a bucket of permits for each, which fills at a steady rate."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable


class Pace:
    """`rate` a second for each name, and `burst` of them at once.

    Names that have been quiet for long are forgotten, so that many names take no memory.
    """

    def __init__(
        self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._buckets: dict[Hashable, tuple[float, float]] = {}

    def wait(self, name: Hashable) -> float:
        """0 and a permit is taken; else the seconds until there is one."""
        now = self._clock()
        left, then = self._buckets.pop(name, (self._burst, now))
        left = min(self._burst, left + (now - then) * self._rate)
        wait = 0.0 if left >= 1 else (1 - left) / self._rate
        self._buckets[name] = (left - (wait == 0), now)
        self._forget(now)
        return wait

    def _forget(self, now: float) -> None:
        """The oldest name, if its bucket is full by now: dicts keep the order of the last use."""
        for _ in range(2):
            name = next(iter(self._buckets))
            left, then = self._buckets[name]
            if left + (now - then) * self._rate < self._burst:
                return
            del self._buckets[name]
            if not self._buckets:
                return
