"""Repeat a piece of work inside a time budget and keep every repeat."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]


def repeat(
    work: Callable[[], object],
    *,
    budget: float = 0.3,
    least: int = 5,
    most: int = 50,
    clock: Clock = time.perf_counter,
) -> list[float]:
    """Seconds of each call of `work` after one warm-up: `least` of them, then until `budget`."""
    work()
    seconds: list[float] = []
    end = clock() + budget
    while len(seconds) < least or (clock() < end and len(seconds) < most):
        start = clock()
        work()
        seconds.append(clock() - start)
    return seconds
