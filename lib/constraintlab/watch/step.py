"""How a step's time grows with the requests that share it, as looks at different numbers say.

step(n) ≈ a + b · n around a working point: `a` is paid however many share it, so it is what more
room would dilute, and b for each. With a rate of n ÷ step(n), room without end is worth
(a + b·n) ÷ b·n. A server's time between tokens is its step's, so a line through (n, ITL) has both,
if the number that ran varied enough to tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

ENOUGH = 8
"""Looks from which a line is drawn."""

VARIED = 0.1
"""Deviation of the number that ran, over its mean, from which it is."""

SURE = 0.5
"""Width of the share's interval up to which it is told."""


@dataclass(frozen=True)
class Step:
    """fixed, each: seconds; n: the mean number that ran; low, high: the share's interval."""

    fixed: float
    each: float
    n: float
    low: float
    high: float

    @property
    def share(self) -> float:
        """Of a step, what it costs however many share it."""
        return min(1.0, max(0.0, 1 - self.each * self.n / (self.fixed + self.each * self.n)))


def fitted(looks: Sequence[tuple[float, float]]) -> Step | None:
    """From (requests that ran, seconds between two tokens); None where they do not tell.

    Least squares; the interval is two standard errors of the slope to each side.
    """
    if len(looks) < ENOUGH:
        return None
    n, seconds = (fmean(column) for column in zip(*looks, strict=True))
    spread = sum((x - n) ** 2 for x, _ in looks)
    if n <= 0 or seconds <= 0 or math.sqrt(spread / len(looks)) < VARIED * n:
        return None
    each = sum((x - n) * (y - seconds) for x, y in looks) / spread
    rest = sum((y - seconds - each * (x - n)) ** 2 for x, y in looks)
    error = math.sqrt(rest / (len(looks) - 2) / spread)
    low, high = (min(1.0, max(0.0, 1 - (each + k * error) * n / seconds)) for k in (2, -2))
    if high - low > SURE:
        return None
    each = max(0.0, each)
    return Step(max(0.0, seconds - each * n), min(each, seconds / n), n, low, high)
