"""`Latency`: how long requests took, as samples in one to four curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PERCENTILES = (50.0, 90.0, 99.0, 99.9)

MOST = 4
"""Curves that tones and dashes tell apart."""

POINTS = 100
"""Points of a curve in its upper 1%, and again as many below."""


@dataclass(frozen=True, eq=False)
class Curve:
    """One group of requests; it keeps a sorted copy of its samples.

    samples [n]: seconds, in any order, of the requests that are done. unfinished: how many more
    are not yet, so that nobody takes the curve for all. Raises ValueError that names the fix.
    """

    name: str
    samples: Sequence[float]
    unfinished: int = 0

    def __post_init__(self) -> None:
        kept = np.sort(np.asarray(self.samples, dtype=np.float64), axis=None)
        if len(kept) and not (kept[0] >= 0 and math.isfinite(kept[-1])):
            raise ValueError(f"{self.name}: {kept[0]} to {kept[-1]} s: give seconds of 0 or more")
        if self.unfinished < 0:
            raise ValueError(f"{self.name}: unfinished={self.unfinished}: give a count")
        kept.flags.writeable = False
        object.__setattr__(self, "samples", kept)

    @property
    def n(self) -> int:
        """Samples."""
        return len(self.samples)

    def at(self, p: float) -> float | None:
        """The smallest sample that at least p percent of the samples do not exceed.

        None, withheld, where it would be the largest sample and nothing else: see `needs`.
        """
        return None if self.n < needs(p) else float(self.samples[rank(self.n, p) - 1])

    def meets(self, seconds: float) -> float:
        """The share of the samples that do not exceed so many seconds."""
        return int(np.searchsorted(self.samples, seconds, side="right")) / self.n

    def points(self) -> np.ndarray:
        """[m, 2]: a sample, and the share of all that lies beyond it; m is about 200 at most.

        All of them are points of the empirical distribution function. Up to 200 samples are all
        there, and the upper 1% up to 10,000; others are picked evenly on a log scale of the share
        beyond. The percentiles are always among them.
        """
        n = self.n
        if n <= 2 * POINTS:
            picked = np.arange(1, n + 1)
        else:
            tail = math.ceil(n / 100)
            upper = np.arange(1, tail + 1) if tail <= POINTS else np.geomspace(1, tail, POINTS)
            marks = [n + 1 - rank(n, p) for p in PERCENTILES]
            both = np.concatenate([upper, np.geomspace(tail, n, POINTS), marks, [2]])
            picked = n + 1 - np.unique(np.rint(both).astype(np.int64))[::-1]
        return np.column_stack([self.samples[picked - 1], (n - picked) / n])


@dataclass(frozen=True, eq=False)
class Latency:
    """One latency (`TTFT`, `time between tokens`) of one to four groups of requests.

    slo: seconds that are still good, None for no such limit. now: seconds into the run, None for
    one that is over. of: what a sample is one of. source: as a sample's. Raises ValueError that
    names the fix.
    """

    name: str
    curves: Sequence[Curve]
    slo: float | None = None
    now: float | None = None
    source: str = "measured"
    of: str = "request"

    def __post_init__(self) -> None:
        names = [c.name for c in self.curves]
        if not 1 <= len(names) <= MOST:
            raise ValueError(f"{len(names)} curves: the chart draws 1 to {MOST}")
        if len(set(names)) < len(names):
            raise ValueError(f"curves {', '.join(names)}: give each a name of its own")
        if self.slo is not None and not 0 < self.slo < math.inf:
            raise ValueError(f"slo={self.slo}: give seconds above 0, or None")
        object.__setattr__(self, "curves", tuple(self.curves))

    @property
    def drawn(self) -> tuple[Curve, ...]:
        """The curves that have samples."""
        return tuple(c for c in self.curves if c.n)


def rank(n: int, p: float) -> int:
    """The place of a percentile among n samples in order, 1 for the lowest."""
    return max(1, math.ceil(round(n * p / 100, 9)))


def needs(p: float) -> int:
    """Samples from which on a percentile is not simply the largest of them: 1,000 for p99.9."""
    return round(100 / (100 - p))
