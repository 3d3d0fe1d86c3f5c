"""`Answer`: what one request to an engine elsewhere has got so far."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from constraintlab.engine.request import Sampling


@dataclass(eq=False)
class Answer:
    """What one request has got so far. Await it, or iterate over it with `async for`.

    times: for each token when it was drawn (`time.monotonic` seconds); sent: when the request
    was submitted, on the same clock. finished: `stop`, `length`, `cancelled` or `refused`. bill:
    once it has ended, where the seconds from `sent` to then went, by the ledger's CAUSES;
    first_bill: where those up to its first token did. Both stay empty where the engine never took
    the request, or died.
    """

    number: int
    prompt: tuple[int, ...]
    sampling: Sampling
    sent: float
    tokens: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    finished: str | None = None
    error: Exception | None = None
    bill: Mapping[str, float] = field(default_factory=dict)
    first_bill: Mapping[str, float] = field(default_factory=dict)
    _done: threading.Event = field(default_factory=threading.Event)
    _wake: list[Callable[[], object]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Everything that may be shown so far."""
        return "".join(self.texts)

    def result(self, timeout: float | None = None) -> Answer:
        """Wait until it is over, in this thread. TimeoutError; whatever ended it badly."""
        if not self._done.wait(timeout):
            raise TimeoutError(f"request {self.number} has not ended within {timeout:g} s")
        if self.error:
            raise self.error
        return self

    def __await__(self):
        return self._until_over().__await__()

    async def _until_over(self) -> Answer:
        async for _ in self:
            pass
        return self

    async def __aiter__(self) -> AsyncIterator[str]:
        """Its text, piece by piece as it comes."""
        loop, changed, shown = asyncio.get_running_loop(), asyncio.Event(), 0
        wake = lambda: loop.call_soon_threadsafe(changed.set)  # noqa: E731
        self._wake.append(wake)
        try:
            while True:
                over = self._done.is_set()
                while shown < len(self.texts):
                    shown += 1
                    yield self.texts[shown - 1]
                if over:
                    break
                await changed.wait()
                changed.clear()
        finally:
            self._wake.remove(wake)
        if self.error:
            raise self.error

    def take(self, now: float, tokens: Sequence[int], text: str, finished: str | None) -> None:
        """What the engine emitted for it."""
        self.tokens += tokens
        self.times += [now] * len(tokens)
        self.texts.append(text)
        self.end(finished) if finished else self._call()

    def end(self, finished: str | None, error: Exception | None = None) -> None:
        """It is over; error: what whoever waits for it is told."""
        self.finished, self.error = finished, error
        self._done.set()
        self._call()

    def _call(self) -> None:
        for wake in list(self._wake):
            wake()
