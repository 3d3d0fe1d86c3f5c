"""A link's arithmetic: a token bucket, and one direction of one connection. No clock, no sockets.

Bytes wait in front of the link until the bucket lets them on it, and then fly for the delay.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable

PACKET = 1460
"""Bytes that cross the link together: no fewer are sent while more wait."""

FLIGHT = 256 << 10
"""Bytes of a connection that may fly at once, as a TCP window is: with a delay of 50 ms one
connection gets 5 MB/s at most. Without it a link with a delay and no rate would hide a reader
that stops from the server for as much as it sends in that time."""


class Bucket:
    """rate: bytes/s, None for no limit, 0 for a link that passes nothing.

    In any window of t seconds at most burst + rate · t bytes are taken. burst: what `span`
    seconds bring, but at least a packet.
    """

    def __init__(self, rate: float | None = None, now: float = 0.0, span: float = 0.004) -> None:
        self._span, self._level, self._at = span, 0.0, now
        self.rate: float | None = None
        self.set(rate, now)

    @property
    def burst(self) -> float:
        """Bytes that may be taken at once after a pause."""
        return math.inf if self.rate is None else max(PACKET, self.rate * self._span)

    def set(self, rate: float | None, now: float) -> None:
        """From now on; what had gathered is kept up to the new burst. ValueError below 0."""
        if rate is not None and not 0 <= rate < math.inf:
            raise ValueError(f"rate={rate}: give bytes/s, 0 to pass nothing, None for no limit")
        level = 0.0 if self.rate is None else self.available(now)
        self.rate, self._at = rate, now
        self._level = min(level, self.burst)

    def available(self, now: float) -> float:
        """Bytes that can be taken now."""
        if self.rate is None:
            return math.inf
        return min(self.burst, self._level + self.rate * max(0.0, now - self._at))

    def take(self, n: int, now: float) -> None:
        """At most what is available."""
        left = self.available(now) - n
        assert left >= -1e-6, f"{n} bytes taken where {left + n} were available"
        if self.rate is not None:
            self._level, self._at = max(0.0, left), max(now, self._at)

    def when(self, n: int, now: float) -> float:
        """When n bytes can be taken, n at most the burst; infinite if never."""
        missing = n - self.available(now)
        if missing <= 0:
            return now
        # A nanosecond more: else rounding could leave a billionth of a byte to wait for.
        return now + missing / self.rate + 1e-9 if self.rate else math.inf


class Line:
    """One direction of one connection: bytes in, the same bytes in the same order out, later.

    limit: bytes that may wait; when there is no `room`, its sender must not be read. own: a
    bucket of this line alone, for a rate per connection or a slow reader.
    """

    def __init__(self, limit: int, now: float = 0.0) -> None:
        self.limit, self.own = limit, Bucket(None, now)
        self.waiting = self.flying = self.passed = 0
        """Bytes in front of the link, on it, and ever let on it."""
        self.cut_after: int | None = None
        self.ended = False
        """The sender sends no more."""
        self._queue: deque[memoryview] = deque()
        self._air: deque[tuple[float, memoryview]] = deque()

    @property
    def room(self) -> int:
        """Bytes that may still be put; below 0 after the last read was larger."""
        return self.limit - self.waiting

    @property
    def cut(self) -> bool:
        """Whether all bytes before the cut have been let on the link."""
        return self.cut_after is not None and self.passed >= self.cut_after

    @property
    def empty(self) -> bool:
        return not self.waiting and not self.flying

    def put(self, data: bytes) -> None:
        """Bytes of the sender."""
        if data:
            self._queue.append(memoryview(data))
            self.waiting += len(data)

    def ready(self, now: float) -> int:
        """Bytes that may go on the link as far as this line is concerned."""
        n, available = self._next, self.own.available(now)
        return 0 if available < min(n, PACKET) else int(min(n, available))

    def wake(self, now: float) -> float:
        """When `ready` may be more, if only its own bucket holds it; infinite if nothing does."""
        n = self._next
        return self.own.when(min(n, PACKET), now) if n else math.inf

    @property
    def _next(self) -> int:
        n = min(self.waiting, FLIGHT - self.flying)
        if self.cut_after is not None:
            n = min(n, self.cut_after - self.passed)
        return max(0, n)

    def enter(self, n: int, now: float, jitter: float = 0.0) -> None:
        """Let n bytes on the link, at most `ready`; they arrive a delay and the jitter later."""
        assert 0 < n <= self.waiting
        self.own.take(n, now)
        for piece in _first(self._queue, n):
            self._air.append((now + jitter, piece))
        self.waiting -= n
        self.flying += n
        self.passed += n
        if self.cut:
            self._queue.clear()
            self.waiting = 0

    def due(self, delay: float) -> float:
        """When the first flying bytes arrive; infinite if none fly. Later ones never overtake."""
        return self._air[0][0] + delay if self._air else math.inf

    def arrive(self, now: float, delay: float, most: int) -> list[memoryview]:
        """The bytes that have arrived, about `most` and whole pieces."""
        found, n = [], 0
        while self._air and self._air[0][0] + delay <= now and n < most:
            piece = self._air.popleft()[1]
            found.append(piece)
            n += len(piece)
        self.flying -= n
        return found


class Shared:
    """A bucket that several lines take turns at; each turn is a packet, or a fair part of more."""

    def __init__(self, now: float, jitter: Callable[[], float] = lambda: 0.0) -> None:
        self.bucket, self._jitter, self._turn = Bucket(None, now), jitter, 0

    def step(self, lines: Iterable[Line], now: float) -> float:
        """Lets on the link what may go now, and says when more may."""
        turns = deque(line for line in lines if line.waiting)
        turns.rotate(-self._turn % max(1, len(turns)))
        wake = math.inf
        while turns:
            line, available = turns[0], self.bucket.available(now)
            ready = line.ready(now)
            if not ready:
                wake = min(wake, line.wake(now))
                turns.popleft()
                continue
            if available < min(ready, PACKET):
                return min(wake, self.bucket.when(min(ready, PACKET), now))
            part = available / len(turns)
            n = int(min(ready, max(PACKET, part) if part < math.inf else ready, available))
            self.bucket.take(n, now)
            line.enter(n, now, self._jitter())
            self._turn += 1
            turns.rotate(-1)
        return wake


def _first(queue: deque[memoryview], n: int) -> Iterable[memoryview]:
    while n:
        piece = queue.popleft()
        if len(piece) > n:
            queue.appendleft(piece[n:])
            piece = piece[:n]
        n -= len(piece)
        yield piece
