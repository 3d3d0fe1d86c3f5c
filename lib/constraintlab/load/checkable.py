"""Questions to the reasoner whose answers are checked to the last character."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from constraintlab.engine.reasoner import collatz
from constraintlab.load.ask import Ask
from constraintlab.load.text import Text

LONGEST = 1024
"""Tokens of prompt and answer, unless a cap is given."""

SHARE, SPREAD = 1 / 8, 0.9
"""Lengths of answers are lognormal: their median as a share of the cap (128 of 1,024 tokens), and
the deviation of their logarithm. Azure's conversations have a median of 129 and a mean of 211."""


@dataclass(frozen=True)
class Collatz:
    """A start's chain is asked for: prompts of 10 tokens that do not tell how long the answer is.

    cap: tokens of prompt and answer together; longer draws are drawn again. The answer is allowed
    as many tokens as the cap leaves, and ends by itself.
    """

    cap: int = LONGEST

    def __post_init__(self) -> None:
        if self.cap < 64:
            raise ValueError(f"cap={self.cap}: give 64 tokens or more, for question and answer")

    @property
    def room(self) -> int:
        """Tokens of the longest answer."""
        return self.cap - len(collatz.prompt(2))

    def draws(self, random: Random) -> Iterator[int]:
        """Endless starts, their answers' lengths lognormal; one may come again."""
        while True:
            wanted = random.lognormvariate(math.log(SHARE * self.cap), SPREAD)
            if wanted <= self.room:
                near = collatz.nearest(wanted, self.room)
                yield random.choice(collatz.by_length()[near])

    def ask(self, draw: int, index: int, at: float, text: Text, random: Random) -> Ask:
        """The question; of the answer's `;`, a silent stop token, a server may show nothing."""
        prompt, answer = collatz.prompt(draw), collatz.answer(draw)
        return Ask(index, at, prompt, self.room, len(prompt), answer.removesuffix(";"))
