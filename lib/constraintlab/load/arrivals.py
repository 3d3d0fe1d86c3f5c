"""When requests come: pure iterators of seconds since the run's start, seeded and never late.

An open loop asks for a request when it is due, whatever the server does; these say when that is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Poisson:
    """Independent users: exponential gaps with a mean of 1/rate seconds (their CV is 1)."""

    rate: float

    def __post_init__(self) -> None:
        _positive("rate", self.rate)

    def times(self, random: Random) -> Iterator[float]:
        """Endless and increasing."""
        at = 0.0
        while True:
            at += random.expovariate(self.rate)
            yield at


@dataclass(frozen=True)
class Gamma:
    """Gaps that vary more (cv > 1: bursts) or less (cv < 1) than independent users' do.

    Their shape is 1/cv² and their mean 1/rate seconds.
    """

    rate: float
    cv: float

    def __post_init__(self) -> None:
        _positive("rate", self.rate)
        _positive("cv", self.cv)

    def times(self, random: Random) -> Iterator[float]:
        """Endless; several may be due at the same moment."""
        shape, at = 1 / self.cv**2, 0.0
        while True:
            at += random.gammavariate(shape, 1 / (shape * self.rate))
            yield at


@dataclass(frozen=True)
class Uniform:
    """One every 1/rate seconds, the first at once."""

    rate: float

    def __post_init__(self) -> None:
        _positive("rate", self.rate)

    def times(self, random: Random) -> Iterator[float]:
        """Endless; draws nothing."""
        n = 0
        while True:
            yield n / self.rate
            n += 1


@dataclass(frozen=True)
class Replay:
    """A trace's own moments, shifted to start at 0, with their gaps as they were.

    rate: stretch or squeeze all gaps so that so many come per second on average; None keeps the
    trace's own pace. spread: seconds within which moments were rounded down in the trace; each is
    moved by a uniform part of it, before the scaling. Raises ValueError for fewer than two
    moments, or for two that are all of the trace and equal.
    """

    moments: tuple[float, ...]
    rate: float | None = None
    spread: float = 0.0

    def __post_init__(self) -> None:
        if len(self.moments) < 2 or not max(self.moments) > min(self.moments):
            raise ValueError("a trace to replay needs two moments or more that differ")
        if self.rate is not None:
            _positive("rate", self.rate)
        if not self.spread >= 0:
            raise ValueError(f"spread={self.spread}: give 0 s (as recorded) or more")

    @property
    def own_rate(self) -> float:
        """Requests per second of the trace itself."""
        return (len(self.moments) - 1) / (max(self.moments) - min(self.moments))

    def times(self, random: Random) -> Iterator[float]:
        """As many as the trace has."""
        scale = 1.0 if self.rate is None else self.own_rate / self.rate
        moved = self.moments
        if self.spread:
            moved = [at + random.uniform(0, self.spread) for at in moved]
        moved = sorted(moved)
        yield from ((at - moved[0]) * scale for at in moved)


Arrivals = Poisson | Gamma | Uniform | Replay


def named(text: str, rate: float) -> Arrivals:
    """`poisson`, `uniform` or `gamma:CV` at so many requests per second; ValueError for others."""
    kind, _, cv = text.partition(":")
    if kind == "gamma" and cv:
        try:
            return Gamma(rate, float(cv))
        except ValueError as error:
            raise ValueError(f"arrivals {text!r}: {error}") from None
    if not cv and kind in ("poisson", "uniform"):
        return Poisson(rate) if kind == "poisson" else Uniform(rate)
    raise ValueError(f"arrivals {text!r}: give poisson, uniform, gamma:CV (gamma:4) or trace:NAME")


def _positive(name: str, value: float) -> None:
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name}={value}: give a number above 0")
