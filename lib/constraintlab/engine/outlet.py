"""`Outlet`: what a step emitted, as lines for whoever asked, several tokens to a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from constraintlab.engine.step import Emitted


class Line(NamedTuple):
    """A request's new tokens, their text, and how it finished, if it did."""

    number: int
    tokens: Sequence[int]
    text: str
    finished: str | None


class Outlet:
    """interval: tokens to a line. The first text of a request goes out at once, and all of it when
    it ends."""

    def __init__(self, interval: int = 1) -> None:
        self._interval = interval
        self._waiting: dict[int, tuple[list[int], list[str]]] = {}

    def lines(self, emitted: Sequence[Emitted]) -> list[tuple]:
        """Those that are due, as plain tuples: a step has one for each of its sequences."""
        if self._interval == 1:
            return [
                (e.request.id, () if e.token is None else (e.token,), e.text, e.finished)
                for e in emitted
            ]
        return [line for e in emitted if (line := self._add(e))]

    def _add(self, e: Emitted) -> Line | None:
        number = e.request.id
        first = number not in self._waiting
        tokens, texts = self._waiting.setdefault(number, ([], []))
        if e.token is not None:
            tokens.append(e.token)
        texts.append(e.text)
        if not (e.finished or (first and e.text) or len(tokens) >= self._interval):
            return None
        if e.finished:
            del self._waiting[number]
        else:
            self._waiting[number] = [], []
        return Line(number, tuple(tokens), "".join(texts), e.finished)
