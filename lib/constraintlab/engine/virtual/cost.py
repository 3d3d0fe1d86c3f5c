"""`StepCost`: the seconds of a step, by what is computed in it."""

from __future__ import annotations

import math
from dataclasses import dataclass


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
