"""A stub where a model would be: it says the prompt again and again, at once or at a pace.

With it a server's own costs are measured alone: tokens are scheduled, hold KV, are detokenised
and cross to the front end as always, and any text can be asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from constraintlab.engine.request import Request
from constraintlab.engine.step import Piece

NAME = "stub"
VOCAB = 8192
LONGEST = 1 << 20
"""Tokens that a request may have, prompt and answer together."""


def pace(model: str) -> float | None:
    """Steps a second that a stub's name asks for, 0 for as many as can be; None: it is no stub.

    `stub` takes no time, `stub@50` makes fifty steps a second.
    """
    name, at, rate = model.partition("@")
    if name != NAME:
        return None
    try:
        found = float(rate) if at else 0.0
        if at and not 0 < found < 1e6:
            raise ValueError
    except ValueError:
        raise ValueError(
            f"model={model!r}: give {NAME}, or {NAME}@50 for 50 steps a second"
        ) from None
    return found


class Stub:
    """A `loop.Model` without one. steps: a second, at most; 0: no time passes."""

    def __init__(
        self,
        steps: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._period = 1 / steps if steps else 0.0
        self._clock, self._sleep, self._due = clock, sleep, 0.0

    def copy(self, pairs: Sequence[tuple[int, int]]) -> None:
        """It has no pool."""

    def forward(self, pieces: Sequence[Piece]) -> None:
        """Time passes, as long as the pace says: a step that is late is not made up for."""
        if self._period:
            now = self._clock()
            self._due = max(now, self._due + self._period)
            if self._due > now:
                self._sleep(self._due - now)

    def draw(self, logits: None, requests: Sequence[Request]) -> list[int]:
        """The prompt's next token, from its first again after its last."""
        return [r.prompt[len(r.output) % len(r.prompt)] for r in requests]

    def forget(self, request: Request) -> None:
        """It keeps nothing."""

    def work(self) -> tuple:
        """It computes nothing."""
        return ()
