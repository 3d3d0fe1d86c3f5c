"""`Counts`: what a virtual run did, added up, for whoever wants to know what bound it.

Steps are counted by how many tokens they computed, as engines' histograms of iterations do: which
side of a kernel is the longer differs between a step of few tokens and one of many.
"""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field, fields
from math import log2, sqrt


class Added:
    """Adds and takes away field by field."""

    def __sub__(self, other):
        return type(self)(*(a - b for a, b in self._beside(other)))

    def __add__(self, other):
        return type(self)(*(a + b for a, b in self._beside(other)))

    def _beside(self, other):
        return [(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)]


@dataclass(slots=True)
class Steps(Added):
    """Steps alike. sequences: that were in them; decodes: of those, with one token each;
    keys: tokens of KV that decodes read; tokens: of prompts; pairs: of such a token and one that it
    looks back at; looked: tokens of KV that prompts read."""

    steps: float = 0.0
    sequences: float = 0.0
    decodes: float = 0.0
    keys: float = 0.0
    tokens: float = 0.0
    pairs: float = 0.0
    looked: float = 0.0


@dataclass(slots=True)
class Counts(Added):
    """kinds: steps by `kind`. seconds: that passed. drawn: output tokens drawn. lost: tokens of KV
    that preemptions threw away. resident, waiting, open: request-seconds admitted, not admitted,
    and from arrival until the last token is read. held: of the residents', by tokens of KV set
    aside (token-seconds). lacks: seconds in which the first in the queue lacked `slots`, `kv` or
    `prefill`, see `StepPlan.waits`; beside: request-seconds of the residents meanwhile, by the
    same. queued: output tokens that those in the queue ask for.
    answers: that ended, by the seconds that their reader takes for a token and by their tokens;
    held_steps, held_squares: tokens of KV of those and their squares, summed over the steps of each
    answer.
    """

    kinds: Kinds = field(default_factory=lambda: Kinds())
    seconds: float = 0.0
    drawn: float = 0.0
    lost: float = 0.0
    resident: float = 0.0
    waiting: float = 0.0
    open: float = 0.0
    held: float = 0.0
    queued: float = 0.0
    lacks: dict[str, float] = field(default_factory=lambda: Sums())
    beside: dict[str, float] = field(default_factory=lambda: Sums())
    answers: dict[tuple[float, int], float] = field(default_factory=lambda: Sums())
    held_steps: float = 0.0
    held_squares: float = 0.0

    @property
    def steps(self) -> Steps:
        """All steps together."""
        return sum(self.kinds.values(), Steps())

    @property
    def held_deviation(self) -> float:
        """How much what a resident holds varies between residents: standard deviation ÷ mean."""
        steps = sum(tokens * n for (_, tokens), n in self.answers.items())
        if not self.held_steps:
            return 0.0
        return sqrt(max(0.0, self.held_squares * steps / self.held_steps**2 - 1))

    def answered(self, gap: float, prompt: int, tokens: int) -> None:
        """An answer ended, that grew by a token a step."""
        self.answers[gap, tokens] += 1
        middle = prompt + tokens / 2
        self.held_steps += tokens * middle
        self.held_squares += tokens * (middle**2 + tokens**2 / 12)

    def copy(self) -> Counts:
        """As they are now."""
        return deepcopy(self)


class Sums(Counter):
    """A sum by key; a difference keeps what is 0 or below out."""


class Kinds(dict):
    """Steps by kind; a kind that is not there had none."""

    def __missing__(self, kind: int) -> Steps:
        return self.setdefault(kind, Steps())

    def __add__(self, other: Kinds) -> Kinds:
        return Kinds({k: self.get(k, Steps()) + other.get(k, Steps()) for k in {*self, *other}})

    def __sub__(self, other: Kinds) -> Kinds:
        return Kinds({k: steps - other.get(k, Steps()) for k, steps in self.items()})


def kind(decodes: int, tokens: int) -> int:
    """0 for a step that only decodes. With `tokens` of prompts: 1, and above that the half octave
    in which all its tokens are, so that neighbours differ by a factor of √2."""
    return 1 + round(2 * log2(decodes + tokens)) if tokens else 0
