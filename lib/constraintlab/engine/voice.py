"""`Voice`: a request's text as it may be shown: whole characters, and nothing of a stop string."""

from __future__ import annotations

from typing import Protocol

from constraintlab.engine.request import Request
from constraintlab.engine.stops import StopMatcher


class Speech(Protocol):
    """A decoder for an answer that comes token by token, e.g. `tokenizer.Stream`."""

    def put(self, token: int) -> str:
        """The text that this token completes."""

    def finish(self) -> str:
        """What is still held back."""


class Voice:
    """Tokens in, text out; `stopped` once a stop string came, which is not in the text."""

    def __init__(self, request: Request, speech: Speech) -> None:
        self._speech, self._stops = speech, StopMatcher(request.sampling.stop)
        self._silent = frozenset(request.sampling.stop_tokens)

    @property
    def stopped(self) -> bool:
        """Whether a stop string ended the text."""
        return self._stops.found is not None

    def say(self, token: int, *, last: bool = False) -> str:
        """What can be shown now; after the last token all that is left. A stop token is silent."""
        text = "" if token in self._silent else self._speech.put(token)
        shown = self._stops.push(text)
        if last:
            shown += self._stops.push(self._speech.finish()) + self._stops.flush()
        return shown
