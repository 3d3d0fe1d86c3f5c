"""`Histogram`: percentiles of any number of samples in the memory of a few thousand counters."""

from __future__ import annotations

import math
from array import array
from itertools import accumulate

from constraintlab.load.metrics import ENOUGH, PERCENTILES, Distribution, Percentile, ranks, too_few


class Histogram:
    """Samples in buckets, each a fixed share wider than the one below it, as HDR histograms and
    DDSketch (VLDB'19) have: a percentile is off by `error` of itself at most.

    low, high: what is below or above is counted with them. Raises ValueError for limits or an
    error that make no buckets.
    """

    def __init__(self, error: float = 0.005, low: float = 1e-6, high: float = 1e7) -> None:
        if not (0 < error < 1 and 0 < low < high):
            raise ValueError(f"error={error}, {low} to {high}: give 0 < error < 1, 0 < low < high")
        self._growth = math.log((1 + error) / (1 - error))
        self._low, self._middle = low, low * (1 + error)
        self._counts = array("Q", bytes(8 * (2 + math.ceil(math.log(high / low) / self._growth))))
        self.n, self.sum = 0, 0.0
        self.least, self.most = math.inf, -math.inf

    def add(self, value: float) -> None:
        """One more sample, 0 or more."""
        self.n += 1
        self.sum += value
        self.least, self.most = min(self.least, value), max(self.most, value)
        at = math.ceil(math.log(value / self._low) / self._growth) if value > self._low else 0
        self._counts[min(at, len(self._counts) - 1)] += 1

    def rank(self, r: int) -> float:
        """About the r-th lowest sample, 1 to n."""
        passed = accumulate(self._counts)
        at = next(i for i, total in enumerate(passed) if total >= r)
        # The value whose distance to both ends of its bucket is the same share of them.
        found = self._low * math.exp((at - 1) * self._growth) * (self._middle / self._low)
        return min(max(found if at else self._low, self.least), self.most)

    def percentile(self, p: float) -> Percentile:
        """As `metrics.percentile`; withheld where there are too few samples."""
        why = too_few(self.n, p)
        if self.n < ENOUGH.get(p, 1):
            return Percentile(p, None, None, None, why)
        low, high = ranks(self.n, p / 100)
        return Percentile(
            p, self.rank(max(1, math.ceil(round(self.n * p / 100, 9)))),
            self.rank(low) if low >= 1 else None, self.rank(high) if high <= self.n else None,
            why,
        )  # fmt: skip

    def distribution(self) -> Distribution | None:
        """None without samples."""
        if not self.n:
            return None
        found = tuple(self.percentile(p) for p in PERCENTILES)
        return Distribution(self.n, self.sum / self.n, self.least, self.most, found)
