"""`Halves`: requests by the length of their answers, and what each half of them saw."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from statistics import fmean, median

from constraintlab.load.metrics import Distribution
from constraintlab.load.tail import Seen, Tail


class Halves:
    """Whatever has `name` and `seen`, its requests. The short half: answers no longer than the
    median one; None stands for both halves together."""

    name: str
    seen: Sequence[Seen]

    @cached_property
    def middle(self) -> float:
        """Tokens of the median answer."""
        return median(s.output for s in self.seen)

    def half(self, long: bool | None = None) -> list[Seen]:
        """The long ones, or the short ones."""
        return [s for s in self.seen if long is None or (s.output > self.middle) == long]

    def ttft(self, long: bool | None = None) -> Distribution:
        """Seconds to the first token."""
        return Distribution.of([s.ttft for s in self.half(long)])

    def e2e(self, long: bool | None = None) -> Distribution:
        """Seconds to the last token."""
        return Distribution.of([s.e2e for s in self.half(long)])

    def within(self, ttft: float) -> float:
        """The share of all whose first token came within so many seconds."""
        return fmean(s.ttft <= ttft for s in self.seen)

    def tail(self, by: str = "ttft", share: float = 0.01) -> Tail:
        """The slowest, and what they waited for."""
        return Tail.of(self.seen, by, share)
