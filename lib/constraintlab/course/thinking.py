"""What lab 07 asks: Collatz chains as long as a reasoning model's thoughts, and when users come."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random
from statistics import fmean, median

from constraintlab.course.driver import Asked
from constraintlab.course.questions import Question
from constraintlab.engine.reasoner import collatz
from constraintlab.engine.request import Sampling
from constraintlab.engine.virtual.cost import StepCost, Took
from constraintlab.load import profiles, replay
from constraintlab.load.arrivals import Gamma, Poisson
from constraintlab.load.traces import NoTraces

SCALE, CAP = 24.0, 1024
"""DeepSeek-R1's lengths are divided by this; prompt and answer are cut to so many tokens."""

PROMPT = 10
"""Tokens of a question."""

BESIDE = 3.0
"""From one long prompt to the next, in times that it takes alone."""

PATTERN = "chat"
"""Of the arrivals: Azure's conversations of 2023."""


def thoughts(n: int, seed: int = 0, scale: float = SCALE, cap: int = CAP) -> list[Question]:
    """n questions, all of ten characters, whose answers are as long as R1's, scaled.

    Chains of some lengths are rare: the same question may come again, from somebody else.
    """
    room, random = cap - PROMPT, Random(f"{seed} starts")
    drawn = profiles.load("reasoning", scale, cap).draws(Random(f"{seed} lengths"))
    found = []
    for size in islice(drawn, n):
        near = collatz.nearest(size.output, room)
        found.append(Question(random.choice(collatz.by_length()[near])))
    return found


def brief(n: int, seed: int, scale: float, cap: int) -> list[tuple[list[int], Sampling]]:
    """n requests whose answers end after so many tokens, R1's scaled, whatever they say: chains
    are not that short."""
    drawn = profiles.load("reasoning", scale, cap).draws(Random(f"{seed} lengths"))
    return [(words(PROMPT), Sampling(size.output)) for size in islice(drawn, n)]


def length(one: Question | tuple[Sequence[int], Sampling]) -> int:
    """Tokens of an answer."""
    return one.length if isinstance(one, Question) else one[1].max_tokens


def mean(some: Sequence[Question]) -> float:
    """Tokens of an answer, on average."""
    return fmean(map(length, some))


def long_share(some: Sequence[Question]) -> float:
    """Which part of all tokens those answers have that are longer than the median one."""
    sizes = list(map(length, some))
    middle = median(sizes)
    return sum(n for n in sizes if n > middle) / sum(sizes)


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
    return Pattern(_paced(stretch, rate), of)


def independent(n: int, rate: float, seed: int = 0) -> Pattern:
    """n moments at which people come who know nothing of each other: exponential gaps."""
    drawn = islice(Poisson(rate).times(Random(f"{seed} gaps")), n)
    return Pattern(_paced(list(drawn), rate), "independent of each other")


def _paced(moments: Sequence[float], rate: float) -> tuple[float, ...]:
    """From 0 on, with all gaps stretched alike to that rate: so few may be far off."""
    first, last = moments[0], moments[-1]
    k = (len(moments) - 1) / rate / (last - first)
    return tuple((at - first) * k for at in moments)


def alone(some: Sequence[Question] | Asked, steps: Sequence[Took]) -> float:
    """Seconds of an answer, on average, on an engine whose steps cost what these did, by itself."""
    cost = StepCost.fit(steps)
    first = cost.step(0, 0, [(PROMPT, 0)])
    return first + fmean(cost.steps(length(one) - 1, 1, PROMPT + 1) for one in some)


def crowd(
    alone: float, steps: Sequence[Took], decodes: int, prompts: int, long: int
) -> tuple[Asked, list[float]]:
    """(requests, seconds at which they come): some who are being answered, and long prompts that
    come beside them one after the other. alone: seconds of such a prompt by itself, which then
    takes a third of the engine's time. The answers last as long as prompts come, at the pace of
    these steps."""
    every, pace = BESIDE * alone, median(s.seconds for s in steps if not s.prompts)
    tokens = math.ceil((prompts + 1) * (every - alone) / pace)
    writers = [(words(16), Sampling(tokens))] * decodes
    readers = [(words(long), Sampling(1))] * prompts
    return [*writers, *readers], [0.0] * decodes + [every * (i + 1) for i in range(prompts)]


def words(n: int) -> list[int]:
    """n token ids that say nothing."""
    return [1 + i % 9 for i in range(n)]
