"""Readers that take their time: so many of the open streams read at a given rate, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from itertools import islice


def check(count: int, rate: float) -> None:
    """ValueError for negative numbers."""
    if count < 0 or not rate >= 0:
        raise ValueError(f"{count} slow readers at {rate} bytes/s: give 0 or more of each")


class SlowReaders:
    """The `count` oldest open streams read `rate` bytes/s each; 0 stops them.

    When one of them ends, the next oldest is slow instead.
    """

    def __init__(self) -> None:
        self.count, self.rate = 0, 0.0
        self._open: dict[int, None] = {}
        self._changed = asyncio.Event()

    def set(self, count: int, rate: float = 0.0) -> None:
        """From now on, also those that wait. ValueError for negative numbers."""
        check(count, rate)
        self.count, self.rate = count, rate
        self._changed.set()
        self._changed = asyncio.Event()

    def opened(self, stream: int) -> None:
        self._open[stream] = None

    def closed(self, stream: int) -> None:
        """Frees its place for the next."""
        if self._open.pop(stream, 0) is None and self.count:
            self._changed.set()
            self._changed = asyncio.Event()

    def slow(self, stream: int) -> bool:
        """Whether this one is."""
        return stream in islice(self._open, self.count)

    def rest(self, stream: int, n: int) -> Awaitable[None] | None:
        """What a stream awaits after n bytes; None for one that reads as fast as it can."""
        return self._rest(stream, n) if self.count and self.slow(stream) else None

    async def _rest(self, stream: int, n: int) -> None:
        while self.slow(stream):
            changed = self._changed
            if self.rate:
                with suppress(TimeoutError):
                    async with asyncio.timeout(n / self.rate):
                        await changed.wait()
                return
            await changed.wait()
