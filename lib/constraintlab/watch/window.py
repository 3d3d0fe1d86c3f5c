"""`Window`: looks at a server put together: means over time, rates, and what histograms saw.

A look that failed is a gap and counts for nothing: rates are over the seconds between looks that
came through, and what no look could tell is absent with the reason, never zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from constraintlab.limits.estimate import Estimate
from constraintlab.telemetry.exposition import quantile
from constraintlab.telemetry.names import quantity
from constraintlab.telemetry.sample import Sample
from constraintlab.telemetry.source import Reading
from constraintlab.watch.looks import SPAN

NO_LOOK = "no look at the server came through"


@dataclass(frozen=True)
class Window:
    """samples: looks in order of time, as `looks.Looker` makes them or a recording has them."""

    samples: tuple[Sample, ...]

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Window:
        return cls(tuple(samples))

    @cached_property
    def looks(self) -> tuple[Sample, ...]:
        """Those that came through."""
        return tuple(s for s in self.samples if _came(s))

    @property
    def gaps(self) -> int:
        """Looks that failed."""
        return len(self.samples) - len(self.looks)

    @property
    def seconds(self) -> float:
        """From the first look that came through to the last one."""
        return self.looks[-1].t - self.looks[0].t if self.looks else 0.0

    def when(self, holds: Callable[[Sample], bool]) -> Window:
        """Those looks that came through of which this holds."""
        return Window(tuple(s for s in self.looks if holds(s)))

    def known(self, name: str) -> list[float]:
        """The values there are, in order."""
        return [v for s in self.looks if (v := s.values.get(name)) is not None]

    def mean(self, name: str) -> Reading:
        """A gauge's, every look the same weight."""
        found = self.known(name)
        return self._reading(name, sum(found) / len(found) if found else None)

    def last(self, name: str) -> Reading:
        """The newest value."""
        found = self.known(name)
        return self._reading(name, found[-1] if found else None)

    def rate(self, name: str) -> Reading:
        """Of a counter over the time in which it is known."""
        pairs = [(s.values[SPAN], v) for s in self.looks
                 if (v := s.values.get(name)) is not None and s.values.get(SPAN)]  # fmt: skip
        seconds = sum(span for span, _ in pairs)
        return self._reading(name, sum(a * v for a, v in pairs) / seconds if seconds else None)

    def average(self, name: str) -> Reading:
        """The mean of a histogram's observations: each look's mean by how many it is of."""
        pairs = [(sum(buckets_of(s, name).values()) or 1.0, v) for s in self.looks
                 if (v := s.values.get(name)) is not None]  # fmt: skip
        many = sum(n for n, _ in pairs)
        return self._reading(name, sum(n * v for n, v in pairs) / many if many else None)

    def observed(self, name: str) -> dict[float, float]:
        """A histogram's observations by upper bound, each in one bucket."""
        found: dict[float, float] = {}
        for sample in self.looks:
            for bound, n in buckets_of(sample, name).items():
                found[bound] = found.get(bound, 0.0) + n
        return found

    def quantile(self, name: str, q: float) -> tuple[float, float] | None:
        """The bounds between which a histogram's q-quantile lies."""
        return quantile(self.observed(name), q)

    def over(self, name: str, limit: float) -> float | None:
        """The least share of a histogram's observations that is above a limit for certain."""
        found = self.observed(name)
        bounds, above, lower = sorted(found), 0.0, 0.0
        for bound in bounds:
            above += found[bound] if lower >= limit else 0.0
            lower = bound
        return above / sum(found.values()) if found else None

    def parts(self, name: str) -> dict[str, float]:
        """A gauge's mean by engine, where several tell it."""
        ends = {
            n.partition("@")[2] for s in self.looks for n in s.values if n.startswith(f"{name}@")
        }
        return {end: self.mean(f"{name}@{end}").value for end in sorted(ends)}

    def spread(self, name: str) -> Estimate:
        """A rate with the lowest and highest seen between two looks."""
        whole, found = self.rate(name), self.known(name)
        unit = quantity(name).unit
        if whole.value is None:
            return Estimate.absent(unit, whole.source.removeprefix("n/a: "))
        low, high = min([*found, whole.value]), max([*found, whole.value])
        return Estimate(whole.value, low, high, unit, whole.source)

    def _reading(self, name: str, value: float | None) -> Reading:
        looks = self.looks or self.samples
        if value is None:
            told = [s.sources[name] for s in looks if name in s.sources and s.values[name] is None]
            return Reading(None, told[-1]) if told else Reading.absent(self._nothing(name))
        return Reading(value, next(s.sources[name] for s in reversed(looks)
                                   if s.values.get(name) is not None))  # fmt: skip

    def _nothing(self, name: str) -> str:
        return NO_LOOK if not self.looks else f"no look has {name}"


def _came(sample: Sample) -> bool:
    return any(v is not None and n.startswith("server.") for n, v in sample.values.items())


def buckets_of(sample: Sample, name: str) -> dict[float, float]:
    """A histogram's observations in one look by upper bound."""
    start = f"{name}.le."
    return {float(n.removeprefix(start)): v for n, v in sample.values.items()
            if v is not None and n.startswith(start)}  # fmt: skip
