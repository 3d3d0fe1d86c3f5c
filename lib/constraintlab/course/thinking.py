"""What lab 07 asks: Collatz chains as long as a reasoning model's thoughts, and when users come."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random
from statistics import fmean

from constraintlab.course.driver import Asked
from constraintlab.course.questions import Question
from constraintlab.engine.reasoner import collatz
from constraintlab.engine.request import Sampling
from constraintlab.engine.virtual.cost import StepCost, Took
from constraintlab.load import profiles, replay
from constraintlab.load.arrivals import Gamma
from constraintlab.load.traces import NoTraces

SCALE, CAP = 24.0, 1024
"""DeepSeek-R1's lengths are divided by this; prompt and answer are cut to so many tokens."""

BESIDE = 3.0
"""From one long prompt to the next, in times that it takes alone."""

PATTERN = "chat"
"""Of the arrivals: Azure's conversations of 2023."""


def thoughts(n: int, seed: int = 0, scale: float = SCALE, cap: int = CAP) -> list[Question]:
    """n questions, all of ten characters, whose answers are as long as R1's, scaled.

    Chains of some lengths are rare: the same question may come again, from somebody else.
    """
    room, random = cap - len(collatz.prompt(2)), Random(f"{seed} starts")
    drawn = profiles.load("reasoning", scale, cap).draws(Random(f"{seed} lengths"))
    found = []
    for size in islice(drawn, n):
        near = collatz.nearest(size.output, room)
        found.append(Question(random.choice(collatz.by_length()[near])))
    return found


def mean(some: Sequence[Question]) -> float:
    """Tokens of an answer, on average."""
    return fmean(q.length for q in some)


@dataclass(frozen=True)
class Pattern:
    """Moments in seconds from the first; of: where they come from, in words."""

    at: tuple[float, ...]
    of: str

    @property
    def rate(self) -> float:
        """Requests a second."""
        return (len(self.at) - 1) / self.at[-1]


def arrive(n: int, rate: float, skip: int = 0) -> Pattern:
    """n moments, `rate` a second on average: a stretch of Azure's trace with its gaps stretched,
    from its request `skip` on; gaps drawn from the fit to that trace where it is not here."""
    try:
        whole = replay.arrivals("azure-conv")
        stretch = list(islice(whole.times(Random(0)), skip, skip + n))
        of = f"requests {skip + 1:,} to {skip + n:,} of Azure's conversations, replayed"
    except NoTraces:
        fitted = json.loads((profiles.folder() / f"{PATTERN}.json").read_text("utf-8"))["arrivals"]
        stretch = list(islice(Gamma(1.0, fitted["cv"]).times(Random(f"{skip} gaps")), n))
        of = f"drawn, with the gaps' CV of Azure's conversations, {fitted['cv']}"
    first, last = stretch[0], stretch[-1]
    k = (n - 1) / rate / (last - first)
    return Pattern(tuple((at - first) * k for at in stretch), of)


def alone(some: Sequence[Question], steps: Sequence[Took]) -> float:
    """Seconds of an answer, on average, on an engine whose steps cost what these did, by itself."""
    cost = StepCost.fit(steps)
    prompt = len(collatz.prompt(2))
    first = cost.step(0, 0, [(prompt, 0)])
    return first + fmean(cost.steps(q.length - 1, 1, prompt + 1) for q in some)


def crowd(
    steps: Sequence[Took], decodes: int, prompts: int, long: int
) -> tuple[Asked, list[float]]:
    """(requests, seconds at which they come): some who are being answered, and long prompts that
    come beside them one after the other, as often as takes a third of an engine's time whose steps
    cost what these did; the answers last a little longer."""
    cost = StepCost.fit(steps)
    every = BESIDE * cost.step(0, 0, [(long, 0)])
    tokens = math.ceil((prompts + 2) * every / cost.step(decodes, 16 * decodes))
    writers = [(words(16), Sampling(tokens))] * decodes
    readers = [(words(long), Sampling(1))] * prompts
    return [*writers, *readers], [0.0] * decodes + [every * (i + 1) for i in range(prompts)]


def words(n: int) -> list[int]:
    """n token ids that say nothing."""
    return [1 + i % 9 for i in range(n)]
