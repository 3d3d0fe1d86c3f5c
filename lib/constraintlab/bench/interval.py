"""`median_of`: a median with an interval that assumes nothing about the noise."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from statistics import median

from constraintlab.limits.estimate import Estimate


def median_of(values: Sequence[float], unit: str, confidence: float = 0.95) -> Estimate:
    """The median and its distribution-free confidence interval, from order statistics.

    The interval runs from the k-th lowest to the k-th highest value, with the largest k whose
    coverage 1 − 2·P(Binomial(n, ½) < k) is still `confidence`; below six values, from the
    lowest to the highest. Source: Conover, Practical Nonparametric Statistics, 3.2.
    """
    if not values:
        raise ValueError("a median needs at least one value")
    kept, n, k, tail = sorted(values), len(values), 1, 0.0
    while k <= n // 2:
        tail += comb(n, k - 1) / 2**n
        if 1 - 2 * tail < confidence:
            break
        k += 1
    k = max(1, k - 1)
    return Estimate(median(kept), kept[k - 1], kept[n - k], unit)


def proportion(hits: int, n: int, z: float = 1.96) -> Estimate:
    """hits of n as a share, with Wilson's 95% interval (1927), which n = hits leaves above 0."""
    if not 0 <= hits <= n or not n:
        raise ValueError(f"{hits} of {n}: give a number of trials, and how many of them were hits")
    p, zz = hits / n, z * z / n
    middle = (p + zz / 2) / (1 + zz)
    half = z / (1 + zz) * (p * (1 - p) / n + zz / (4 * n)) ** 0.5
    return Estimate(p, min(p, max(0.0, middle - half)), max(p, min(1.0, middle + half)), "")
