"""What labs 04 and 05 ask the reasoner, and whether the answers are right."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

from constraintlab.engine.answer import Answer
from constraintlab.engine.reasoner import collatz
from constraintlab.engine.reasoner.weights import Characters
from constraintlab.engine.request import Sampling

LONGEST = 1024
"""Tokens of prompt and answer that the labs' engine takes a request, as an operator sets it."""

SHARE, SPREAD = 1 / 8, 0.9
"""Answers' lengths are lognormal. Their median as a share of what a request may have: 128 of 1,024
tokens; and the deviation of their logarithm. Azure's conversation trace of 2023 has a median of
129 output tokens and a mean of 211."""

SEED = 3
"""None of its first questions (128 of 1,024 tokens, 64 of 384) is among those, about one in a
thousand, that the reasoner gets wrong."""


@dataclass(frozen=True)
class Question:
    """A start whose Collatz chain is asked for. given: characters of the answer that the prompt
    already has, as a conversation has what was said before."""

    start: int
    given: int = 0

    @property
    def prompt(self) -> str:
        """Nothing in it tells how long the answer is; without `given` all have 10 characters."""
        head = collatz.prompt(self.start)
        return head + collatz.answer(self.start)[: self.given] if self.given else head

    @property
    def length(self) -> int:
        """Tokens of the right answer."""
        return collatz.starts()[self.start] - self.given

    @property
    def asked(self) -> tuple[list[int], Sampling]:
        """Token ids and sampling: greedy, to the answer's `;`. max_tokens is the answer's length,
        which no store looks at but one that may foresee it (`oracle`, `pow2`)."""
        sampling = Sampling(self.length, stop_tokens=(collatz.END,))
        return collatz.tokens(self.prompt), sampling

    def right(self, text: str) -> bool:
        """Whether an answer is right to the last character."""
        asked = collatz.prompt(self.start)
        return bool(collatz.verify(asked, self.prompt.removeprefix(asked) + text))


def questions(n: int, *, most: int = LONGEST, seed: int = SEED) -> list[Question]:
    """n different questions with lognormal lengths of answers. most: tokens that prompt and answer
    may have together; longer ones are drawn again. ValueError if there are not so many."""
    random, found = Random(seed), dict[int, None]()
    room = most - len(collatz.prompt(2))
    known = {k: list(starts) for k, starts in collatz.by_length().items() if k <= room}
    if n > sum(map(len, known.values())) // 2:
        raise ValueError(f"n={n}: there are not enough answers of at most {room} tokens, ask fewer")
    while len(found) < n:
        wanted = random.lognormvariate(math.log(SHARE * most), SPREAD)
        if wanted > room:
            continue
        length = min(known, key=lambda k: abs(k - wanted))
        starts = known[length]
        found[starts.pop(random.randrange(len(starts)))] = None
        if not starts:
            del known[length]
    return [Question(start) for start in found]


def alike(n: int, length: int) -> list[Question]:
    """n different questions whose answers have nearly `length` tokens: the nearest there are."""
    ordered = sorted(collatz.by_length().items(), key=lambda item: abs(item[0] - length))
    starts = (start for _, starts in ordered for start in starts)
    return [Question(next(starts)) for _ in range(n)]


def continued(n: int, start: int, least: int, most: int) -> list[Question]:
    """The same chain, asked to be continued from n places between `least` and `most` characters:
    prompts that begin alike. ValueError for places that its answer does not have."""
    if not 0 <= least <= most < collatz.starts()[start]:
        raise ValueError(f"{least} to {most}: the answer has {collatz.starts()[start]} characters")
    step = (most - least) / max(1, n - 1)
    return [Question(start, round(least + i * step)) for i in range(n)]


def asked(some: Iterable[Question]) -> list[tuple[list[int], Sampling]]:
    """What an engine is given."""
    return [q.asked for q in some]


def wrong(some: Sequence[Question], answers: Sequence[Answer]) -> list[int]:
    """The starts whose answers are not right, to the last character."""
    pairs = zip(some, answers, strict=True)
    said = Characters().decode  # a model may draw ids that the alphabet does not have
    return [q.start for q, a in pairs if not q.right(said(a.tokens))]
