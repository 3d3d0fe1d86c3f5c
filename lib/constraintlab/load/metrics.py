"""Percentiles as they were, with what chance may have done to them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

PERCENTILES = (50.0, 90.0, 99.0, 99.9)
ENOUGH = {99.9: 1000}
"""Samples below which a percentile is withheld: it would be the largest sample and nothing else."""

TOLD = {90.0: 10, 99.0: 100, **ENOUGH}
"""Samples below which a percentile is the largest sample and so is not told to people, `ENOUGH` or
not: runs of the same few requests may still be compared by it."""

EXACT = 2000
"""Samples up to which the binomial is summed; beyond, its normal approximation is as good."""


@dataclass(frozen=True)
class Percentile:
    """`value`: the smallest sample that at least p percent of the samples do not exceed.

    low, high: its 95% confidence interval from order statistics, which assumes nothing about the
    distribution but that samples are independent (the gaps of one answer are not: take theirs as
    too narrow); None where too few samples lie on that side. why: too few samples for it to be
    told (`TOLD`), else empty. value is None below `ENOUGH`.
    Source: Conover, Practical Nonparametric Statistics, 3.2.
    """

    p: float
    value: float | None
    low: float | None
    high: float | None
    why: str = ""

    @property
    def name(self) -> str:
        return f"p{self.p:g}"


@dataclass(frozen=True)
class Distribution:
    """n samples in seconds (or another unit), by percentiles, never averaged ones."""

    n: int
    mean: float
    low: float
    high: float
    percentiles: tuple[Percentile, ...]

    @classmethod
    def of(cls, samples: Sequence[float]) -> Distribution | None:
        """None without samples."""
        if not samples:
            return None
        ordered = sorted(samples)
        found = tuple(percentile(ordered, p) for p in PERCENTILES)
        return cls(len(ordered), math.fsum(ordered) / len(ordered), ordered[0], ordered[-1], found)

    def __getitem__(self, p: float) -> float | None:
        """The value of a percentile: `d[99]`."""
        return next(x.value for x in self.percentiles if x.p == p)

    def json(self) -> dict:
        """Plain data; a percentile of too few samples says so and has no value."""
        found: dict = {"n": self.n, "mean": self.mean, "min": self.low, "max": self.high}
        for x in self.percentiles:
            withheld = {"value": None, "withheld": x.why}
            found[x.name] = withheld if x.why else {"value": x.value, "low": x.low, "high": x.high}
        return found


def percentile(ordered: Sequence[float], p: float) -> Percentile:
    """Of samples in order, p in percent above 0 and below 100."""
    n = len(ordered)
    why = too_few(n, p)
    if n < ENOUGH.get(p, 1):
        return Percentile(p, None, None, None, why)
    low, high = ranks(n, p / 100)
    value = ordered[max(1, math.ceil(round(n * p / 100, 9))) - 1]
    return Percentile(
        p, value, ordered[low - 1] if low >= 1 else None,
        ordered[high - 1] if high <= n else None, why,
    )  # fmt: skip


def too_few(n: int, p: float) -> str:
    """Why a percentile of n samples is not told; empty where it is."""
    least = TOLD.get(p, 1)
    return f"{n} samples, fewer than {least:,}" if n < least else ""


def ranks(n: int, q: float, confidence: float = 0.95) -> tuple[int, int]:
    """Ranks (1 is the lowest sample) between which the quantile q lies with this confidence.

    0 or n + 1 where there is no such sample. Each side has at most half of what may go wrong.
    """
    tail = (1 - confidence) / 2
    if n > EXACT:
        middle, spread = n * q, math.sqrt(n * q * (1 - q)) * NormalDist().inv_cdf(1 - tail)
        return max(0, math.floor(middle - spread)), min(n + 1, math.ceil(middle + spread) + 1)
    # The quantile lies below the r-th sample when fewer than r samples lie below the quantile.
    low, high, below = 0, n + 1, 0.0
    for k in range(n + 1):
        if below <= tail:
            low = k
        below += _chance(n, k, q)
        if below >= 1 - tail:
            high = k + 1
            break
    return low, high


def _chance(n: int, k: int, q: float) -> float:
    whole = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(whole + k * math.log(q) + (n - k) * math.log1p(-q))
