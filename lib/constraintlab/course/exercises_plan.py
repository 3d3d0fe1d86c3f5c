"""The exercise of lab 08: how many replicas a promise takes, at its percentile."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean

from constraintlab.course.check import Result, checker

Ttft = Callable[[int], Sequence[float]]

REQUESTS, MOST = 1000, 400
"""First tokens of a number of replicas; the most replicas that anybody would be asked about."""

WAITING = 10.0
"""Seconds."""


def replicas(ttft: Ttft, limit: float) -> int:
    """The fewest replicas with which 99 of 100 first tokens come within `limit` seconds."""
    n = 1
    while sum(t <= limit for t in ttft(n)) < 0.99 * len(ttft(n)):
        n += 1
    return n


@dataclass(frozen=True)
class Case:
    """Users who know nothing of each other, whom `load` replicas could just serve, a service of
    `service` seconds each. odd: of REQUESTS so many wait WAITING, whatever there is. limit: in
    seconds."""

    load: float
    service: float
    limit: float
    odd: int = 0

    def ttft(self, n: int) -> list[float]:
        """Of REQUESTS first tokens, in no order. ValueError for what is no number of replicas."""
        if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= MOST:
            raise OutOfRange(n)
        rho = self.load / n
        if rho >= 1:  # the queue grows for as long as users come
            waits = [self.service * (rho - 1) * i for i in range(REQUESTS)]
        else:
            # An M/M/1 queue's wait is exceeded with chance ρ·exp(−(1−ρ)·t / service).
            chances = ((i + 0.5) / REQUESTS for i in range(REQUESTS))
            waits = [max(0.0, math.log(rho / c)) * self.service / (1 - rho) for c in chances]
        found = [self.service + wait for wait in waits]
        if self.odd:
            found[: self.odd] = [WAITING] * self.odd
        Random(n).shuffle(found)
        return found


class OutOfRange(ValueError):
    """Somebody asked about something that is no number of replicas, or about very many."""


CASES = (
    Case(3.5, 0.05, 0.63),
    Case(0.4, 0.02, 0.3),  # one is enough
    Case(3.5, 0.05, 0.63, odd=4),  # not everybody can be served in time
    Case(20.5, 0.1, 2.2),
    Case(2.5, 0.05, 0.5),
)
"""Of none is the limit within a twentieth of the p99 of the right number, or of one less."""


@checker("08.replicas")
def check_replicas(answer: object) -> Result:
    """Lab 08: enough replicas for 99 of 100, and not one more."""
    if not callable(answer):
        return Result(False, "give a function, not its result")
    for case in CASES:
        try:
            got = answer(case.ttft, case.limit)
        except OutOfRange as error:
            return Result(False, _range(error.args[0], case))
        except Exception as error:
            return Result(False, f"it raised {type(error).__name__}: {error}")
        if got is None or got is Ellipsis:
            return Result(False, "it returns nothing yet")
        if isinstance(got, bool) or not isinstance(got, int) or got < 1:
            return Result(False, f"return a whole number of replicas, 1 or more, not {got!r}")
        want = replicas(case.ttft, case.limit)
        if got != want:
            return Result(False, _hint(case, got, want))
    return Result(True, f"enough for 99 of 100, and none too many, on all {len(CASES)} loads")


def _range(asked: object, case: Case) -> str:
    if isinstance(asked, int) and not isinstance(asked, bool) and asked > MOST:
        late = "one in 250 waits long however many there are" if case.odd else "it was enough"
        return f"it asks about {asked} replicas; long before that {late}. Who has to be in time?"
    return f"ttft takes a number of replicas from 1 on, not {asked!r}"


def _hint(case: Case, got: int, want: int) -> str:
    if got > MOST:
        return f"{got} replicas are more than anybody would buy: how late are those with fewer?"
    seen = case.ttft(got)
    late = sum(t > case.limit for t in seen)
    if got > want:
        return (
            f"with {got} replicas {late} of {len(seen):,} first tokens come later than "
            f"{case.limit:g} s, but fewer replicas would do: is it the slowest of all that you ask?"
        )
    return (
        f"with {got} {'replica' if got == 1 else 'replicas'} the mean is {fmean(seen):.2f} s, and "
        f"{late} of {len(seen):,} first tokens come later than {case.limit:g} s. How many may?"
    )
