"""`Sink`: where one request's tokens go, and when they came; `Whole` keeps them for one answer."""

from __future__ import annotations

import asyncio
from typing import Any

from constraintlab.engine.ledger import Bill
from constraintlab.serving.errors import ApiError
from constraintlab.serving.events import Usage


class Sink:
    """What a front end knows of an open request. Times are `time.monotonic` seconds.

    seen: when its newest token was drawn; admitted, first: None until then. bill: once it
    has ended, where its time in the engine went.
    """

    __slots__ = (
        "admitted", "arrived", "bill", "finished", "first", "number", "prompt", "seen", "tokens"
    )  # fmt: skip

    def __init__(self, prompt: int) -> None:
        self.number, self.prompt, self.tokens = 0, prompt, 0
        self.arrived, self.seen = 0.0, -1.0
        self.admitted: float | None = None
        self.first: float | None = None
        self.finished: str | None = None
        self.bill: Bill | None = None

    @property
    def usage(self) -> Usage:
        """Tokens so far."""
        return Usage(self.prompt, self.tokens)

    def put(self, text: str, finished: str | None, tokens: int) -> Any:
        """The next tokens' text; what `write` is to be called with, None for nothing."""
        raise NotImplementedError

    def write(self, body: Any) -> None:
        """Send what `put` returned."""
        raise NotImplementedError

    def fail(self, error: ApiError, event: str) -> None:
        """It ends here. event: the error's code, where a stream is under way."""
        raise NotImplementedError


class Whole(Sink):
    """An answer in one piece: `await done` gives its text."""

    __slots__ = ("_texts", "done")

    def __init__(self, prompt: int) -> None:
        super().__init__(prompt)
        self._texts: list[str] = []
        self.done: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def put(self, text: str, finished: str | None, tokens: int) -> None:
        """See `Sink`."""
        self._texts.append(text)
        if finished:
            self.finished = finished
            if not self.done.done():
                self.done.set_result("".join(self._texts))

    def fail(self, error: ApiError, event: str) -> None:
        """See `Sink`."""
        if not self.done.done():
            self.done.set_exception(error)
