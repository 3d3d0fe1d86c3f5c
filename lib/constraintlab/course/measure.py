"""Measure variants of a call against each other: interleaved rounds, ratios with their spread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

from constraintlab.limits.estimate import Estimate


@dataclass(frozen=True)
class Rounds:
    """Seconds of each variant in each round; a round runs every variant once, in turn."""

    seconds: Mapping[str, tuple[float, ...]]

    def median(self, name: str) -> float:
        """Median seconds of one variant."""
        return median(self.seconds[name])

    def rate(self, name: str, amount: float, unit: str = "tok/s") -> Estimate:
        """`amount` per call as a rate, with its spread over the rounds."""
        return Estimate.of([amount / s for s in self.seconds[name]], unit)

    def ratios(self, name: str, over: str) -> list[float]:
        """Each round's own: seconds of `over` ÷ seconds of `name`."""
        return [b / a for a, b in zip(self.seconds[name], self.seconds[over], strict=True)]

    def gain(self, name: str, over: str) -> Estimate:
        """How many times faster `name` is than `over`: the median of the rounds' own ratios.

        low and high are the quartiles, since one disturbed round says nothing.
        """
        ratios = sorted(self.ratios(name, over))
        return Estimate(
            median(ratios), ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4], "×"
        )


def interleave(
    calls: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 5,
    budget: float | None = None,
    warm: bool = True,
    wait: Callable[[], object] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
    lap: Callable[[Callable[[], object]], float] | None = None,
) -> Rounds:
    """Run every call once a round and keep each time; `warm`: after one unmeasured call each.

    At least three rounds; further ones, up to `rounds`, only while `budget` seconds last.
    wait: called before the clock is read, to let a GPU finish. lap: seconds of one call, where
    something else than `clock` times it (a GPU's own events).
    """

    def timed(call: Callable[[], object]) -> float:
        start = clock()
        call()
        wait()
        return clock() - start

    lap = lap or timed
    for call in calls.values() if warm else ():
        call()
    wait()
    kept: dict[str, list[float]] = {name: [] for name in calls}
    end = clock() + (budget if budget is not None else float("inf"))
    for i in range(rounds):
        if i >= 3 and clock() >= end:
            break
        for name, call in calls.items():
            kept[name].append(lap(call))
    return Rounds({name: tuple(s) for name, s in kept.items()})
