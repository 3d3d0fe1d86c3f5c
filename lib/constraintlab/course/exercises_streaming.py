"""The exercise of lab 06: the largest stream interval whose readers still need not wait long."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from statistics import fmean

from constraintlab.course.check import Result, checker, compare

MOST = 64
"""The largest interval that is looked at."""

Answers = Sequence[Sequence[float]]
"""Of each answer, the times between its tokens."""


def waits(answers: Answers, k: int) -> list[float]:
    """What a reader waits for an event of k tokens: every k gaps in a row of an answer."""
    found = []
    for gaps in answers:
        at = list(accumulate(gaps, initial=0.0))
        found += [after - before for before, after in zip(at, at[k:], strict=False)]
    return found


def p99(samples: Sequence[float]) -> float:
    """The smallest sample that at least 99% of them do not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(round(0.99 * len(ordered), 9)) - 1)]


def interval(answers: Answers, target: float) -> int:
    """The most tokens an event, up to MOST, at which 99% of the waits are within the target; 1
    where not even single tokens are."""
    best = 1
    for k in range(2, MOST + 1):
        found = waits(answers, k)
        if found and p99(found) <= target:
            best = k
    return best


@checker("06.interval")
def check_interval(answer: object) -> Result:
    """Lab 06: the tail of sums, on regular, bursty and random gaps."""
    random = Random(6)
    steady = [[0.010] * 200 for _ in range(4)]
    burst = [[0.002] * 40 + [0.100] + [0.002] * 40 for _ in range(8)]  # one stall an answer
    calm = [[random.uniform(0.001, 0.003) for _ in range(300)] for _ in range(6)]
    rough = [[random.lognormvariate(-6, 1.0) for _ in range(300)] for _ in range(6)]
    cases = [
        (steady, 0.0805), (steady, 0.005), (calm, 0.041), (rough, 0.05), (burst, 0.05),
        (burst, 0.15), ([*calm, *burst], 0.08),
    ]  # fmt: skip

    def hint(case, got, want):
        answers, target = case
        where = (
            f"{len(answers)} answers with gaps of {_told(answers)}, {1e3 * target:.0f} ms to meet"
        )
        if not isinstance(got, int) or isinstance(got, bool):
            return f"return a whole number of tokens, not {got!r}"
        if got < 1 or got > MOST:
            return f"{where}: {got} is no interval, give 1 to {MOST}"
        every = [g for gaps in answers for g in gaps]
        if got == max(1, min(MOST, int(target / fmean(every)))):
            return f"{where}: {got} meets it on average. How long is the worst wait of a hundred?"
        if got == max(1, min(MOST, int(target / p99(every)))):
            return (
                f"{where}: {got} is safe even if every gap is a bad one. What do {got + 1} gaps in "
                "a row really add up to, in 99 of 100 places?"
            )
        side = "longer than that" if got > want else "short enough with more tokens, and cheaper"
        return f"{where}: with {got} an event, the p99 of the waits is {side}"

    return compare(answer, cases, interval, hint)


def _told(answers: Answers) -> str:
    every = [g for gaps in answers for g in gaps]
    low, high = (f"{1e3 * g:.3g}" for g in (min(every), max(every)))
    return f"{low} ms" if low == high else f"{low} to {high} ms"
