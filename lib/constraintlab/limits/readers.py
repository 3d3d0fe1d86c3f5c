"""`Readers`: streams whose readers take tokens at a rate of their own, and what that leaves of X.

A stream goes at the smaller of its reader's rate and its own, s, which is the same for all whose
reader keeps up. So n streams deliver X(s) = Σ min(rate, s). What makes the tokens pays `fixed` for
each token of a stream that keeps up, however many share the step, and `each` for every token: s is
as large as s · fixed + each · X(s) ≤ 1 lets it be. A slow reader leaves its part of `each` to the
others; its part of `fixed` is lost, and that is what a faster reader would buy.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Readers:
    """The `share` of the streams, 0 to 1, whose readers take `rate` tokens/s each at most."""

    share: float
    rate: float

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1 + 1e-9 or not self.rate > 0:
            raise ValueError(
                f"readers with share={self.share}, rate={self.rate}: give a share of the streams "
                "from 0 to 1 and a rate above 0 tokens/s"
            )


def readers(rates: Iterable[float]) -> tuple[Readers, ...]:
    """One rate for each stream, in tokens/s, infinite where the reader takes whatever comes."""
    counted = Counter(rates)
    return tuple(Readers(n / counted.total(), rate) for rate, n in sorted(counted.items()))


@dataclass(frozen=True)
class Flow:
    """Streams under way: `speed` of one that keeps up and X of all, in tokens/s.

    held: tokens/s of the slow readers; free: streams that keep up.
    """

    speed: float
    x: float
    held: float
    free: float

    @property
    def batch(self) -> float:
        """Sequences in a step: one whose reader is slow sits some steps out."""
        return self.x / self.speed

    def client(self, fixed: float) -> float:
        """The readers' share of X: X gains this percentage per percent of their rate.

        With R tokens/s held by slow readers and f streams that keep up, R · fixed over
        f + R · fixed: the derivative of X(s) where s · fixed + each · X(s) = 1.
        """
        if not self.free:
            return 1.0
        return self.held * fixed / (self.free + self.held * fixed)


def flow(slow: Sequence[Readers], n: float, fixed: float, each: float) -> Flow:
    """The fastest that n streams go; fixed, each: seconds as in the module's text."""
    held, free = 0.0, 1.0
    for group in [*sorted(slow, key=lambda r: r.rate), None]:
        cost, left = fixed + each * n * free, 1 - each * n * held
        speed = left / cost if cost > 0 else math.inf
        if group is None or speed <= group.rate:
            break
        held += group.share * group.rate
        free = free - group.share if free - group.share > 1e-9 else 0.0
    x = n * held + (n * free * speed if free else 0.0)
    return Flow(speed, x, n * held, n * free)
