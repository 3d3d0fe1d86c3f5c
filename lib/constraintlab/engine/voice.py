"""`Voice`: a request's text as it may be shown: whole characters, and nothing of a stop string."""

from __future__ import annotations

from typing import Protocol

from constraintlab.engine.request import Request
from constraintlab.engine.stops import StopMatcher


class Speech(Protocol):
    """A decoder for an answer that comes token by token, e.g. `tokenizer.Stream`."""

    def put(self, *tokens: int) -> str:
        """The text that these tokens complete."""

    def finish(self) -> str:
        """What is still held back."""


class Voice:
    """Tokens in, text out; `stopped` once a stop string came, which is not in the text.

    interval: tokens that are detokenised together, after the first, unless a stop string could
    be among them. A request that is asked to stop at one is looked at token by token.
    """

    def __init__(self, request: Request, speech: Speech, interval: int = 1) -> None:
        self._speech, self._stops = speech, StopMatcher(request.sampling.stop)
        self._silent = frozenset(request.sampling.stop_tokens)
        self._interval = 1 if request.sampling.stop else interval
        self._held: list[int] = []
        self._first = True

    @property
    def stopped(self) -> bool:
        """Whether a stop string ended the text."""
        return self._stops.found is not None

    def say(self, token: int, *, last: bool = False) -> str:
        """What can be shown now; after the last token all that is left. A stop token is silent."""
        if self._interval > 1:
            return self._together(token, last)
        text = "" if token in self._silent else self._speech.put(token)
        shown = self._stops.push(text)
        if last:
            shown += self._stops.push(self._speech.finish()) + self._stops.flush()
        return shown

    def _together(self, token: int, last: bool) -> str:
        self._held.append(token)
        if not (last or self._first or len(self._held) >= self._interval):
            return ""
        said = [t for t in self._held if t not in self._silent]
        self._held.clear()
        text = self._speech.put(*said) if said else ""
        if last:
            text += self._speech.finish()
        self._first = self._first and not text
        return text
