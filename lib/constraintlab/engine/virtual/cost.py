"""`StepCost`: the seconds of a step, by what is computed in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Took(NamedTuple):
    """A step that was taken: seconds, sequences that decoded, the tokens of KV that they read,
    prompts, their tokens, and pairs of such a token and one that it looks back at."""

    seconds: float
    decodes: int
    keys: int
    prompts: int = 0
    tokens: int = 0
    pairs: float = 0.0


def pairs(chunks: Sequence[tuple[int, int]]) -> float:
    """Pairs of a token and one that it looks back at, for prompts of n tokens after `past`."""
    return sum([n * past + n * (n + 1) / 2 for n, past in chunks])


@dataclass(frozen=True)
class StepCost:
    """Seconds. fixed: of a step; each: of a sequence that decodes; key: of a token of KV that a
    decode reads; prompt: of a sequence whose prompt is computed; token: of a token of it; pair: of
    such a token and one that it looks back at. source: where they come from. Raises ValueError
    for one below 0, or none above 0.
    """

    fixed: float
    each: float = 0.0
    key: float = 0.0
    prompt: float = 0.0
    token: float = 0.0
    pair: float = 0.0
    source: str = "modelled"

    def __post_init__(self) -> None:
        parts = {n: getattr(self, n) for n in ("fixed", "each", "key", "prompt", "token", "pair")}
        for name, value in parts.items():
            if not 0 <= value < math.inf:
                raise ValueError(f"{name}={value}: give seconds, 0 or more")
        if not any(parts.values()):
            raise ValueError("a step that costs nothing never ends: give fixed= above 0")

    def step(self, decodes: int, keys: int, chunks: list[tuple[int, int]] = ()) -> float:
        """decodes: sequences; keys: tokens of KV that they read, their own included. chunks: for
        each prompt its tokens and those before them."""
        spent = self.fixed + self.each * decodes + self.key * keys
        for n, past in chunks:
            spent += self.prompt + self.token * n + self.pair * (n * past + n * (n + 1) / 2)
        return spent

    def of(self, took: Took) -> float:
        """What such a step should take."""
        _, decodes, keys, prompts, tokens, pairs = took
        decoding = self.fixed + self.each * decodes + self.key * keys
        return decoding + self.prompt * prompts + self.token * tokens + self.pair * pairs

    @classmethod
    def fit(cls, steps: Sequence[Took], source: str = "measured") -> StepCost:
        """The costs, none below 0, that explain these steps' seconds best (least squares).

        The slowest in a thousand are left out: a neighbour on the same cores stalled them. Their
        time is not: all costs are scaled so that together they last as long as the steps did.
        ValueError for fewer than a hundred steps.
        """
        import numpy as np

        if len(steps) < 100:
            raise ValueError(f"{len(steps)} steps: give 100 or more, of prompts and of decodes")
        seen = np.array(steps, dtype=float)
        kept = seen[seen[:, 0] <= np.quantile(seen[:, 0], 0.999)]
        told = np.column_stack([np.ones(len(kept)), kept[:, 1:]])
        scale = np.maximum(told.max(axis=0), 1e-9)
        found, used = np.zeros(told.shape[1]), told.max(axis=0) > 0
        while True:
            found[:] = 0.0
            found[used] = np.linalg.lstsq((told / scale)[:, used], kept[:, 0], rcond=None)[0]
            if found.min() >= 0:
                break
            used[found.argmin()] = False
        found /= scale
        whole = np.column_stack([np.ones(len(seen)), seen[:, 1:]]) @ found
        return cls(*(found * seen[:, 0].sum() / whole.sum()).tolist(), source)

    def steps(self, n: int, decodes: int, keys: int) -> float:
        """n steps of the same sequences, each of which reads a token more each time."""
        first = self.fixed + self.each * decodes + self.key * keys
        return n * first + self.key * decodes * n * (n - 1) / 2

    def within(self, seconds: float, limit: int, decodes: int, keys: int) -> int:
        """The fewest of such steps, 1 to `limit`, that last so long."""
        if seconds <= 0:
            return 1
        first = self.fixed + self.each * decodes + self.key * keys
        if not first:
            return limit
        grows = self.key * decodes
        if seconds > self.steps(limit, decodes, keys):
            return limit
        # n · first + grows · n (n − 1) / 2 = seconds, solved so that nothing cancels.
        b = first - grows / 2
        guess = 2 * seconds / (b + math.sqrt(b * b + 2 * grows * seconds)) if grows else seconds / b
        n = min(limit, max(1, math.ceil(guess)))
        while n > 1 and self.steps(n - 1, decodes, keys) >= seconds:
            n -= 1
        while n < limit and self.steps(n, decodes, keys) < seconds:
            n += 1
        return n
