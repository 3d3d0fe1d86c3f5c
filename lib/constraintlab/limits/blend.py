"""Parts of a pipeline that are nearly as fast as each other: together they are slower than either.

A finite number of streams can't keep two stations busy all the time: while one serves a burst, the
other waits for what comes out of it. With parts whose paces alone are x_i, X is taken to be
(Σ x_i^−p)^(−1/p): the slowest alone for p infinite, well below it where two are close and p is
small. How sharp the bend is depends on bursts and buffers, so p is found from the throughput that
was measured at the working point. A percent of x_i is then worth (X ÷ x_i)^p of a percent of X:
these parts add to 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

LEAST, SHARP = 4.0, 100.0
"""Below the first a model that is wrong passes for a bend; above the second there is none."""


def together(paces: Sequence[float], sharpness: float) -> float:
    """X of parts with these paces, in their unit."""
    least = min(paces)
    if math.isinf(sharpness) or not least or math.isinf(least):
        return least
    return least * sum((least / x) ** sharpness for x in paces) ** (-1 / sharpness)


def parts(paces: Sequence[float], sharpness: float) -> list[float]:
    """By what part of a percent X grows per percent of each; they add to 1."""
    x = together(paces, sharpness)
    if math.isinf(sharpness) or not x or math.isinf(x):
        first = paces.index(min(paces))
        return [float(i == first) for i in range(len(paces))]
    return [(x / pace) ** sharpness for pace in paces]


def sharpness(paces: Sequence[float], x: float) -> float:
    """The p with which parts of these paces make x; infinite where x is no less than the slowest
    makes, or nothing stands near it."""
    if together(paces, SHARP) <= x or not x > 0:
        return math.inf
    low, high = LEAST, SHARP
    if together(paces, low) >= x:
        return low
    while high / low > 1.001:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if together(paces, middle) >= x else (middle, high)
    return low
