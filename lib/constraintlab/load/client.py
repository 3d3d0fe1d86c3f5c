"""`Client`: an open loop. Every request is sent when it is due, whatever the server does."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

import aiohttp

from constraintlab.load.ask import Ask
from constraintlab.load.live import Counters, Lane, lane
from constraintlab.load.pace import Pace
from constraintlab.load.record import Record
from constraintlab.load.slow import SlowReaders
from constraintlab.load.stream import Stream
from constraintlab.load.target import Target

RECEIVE = 32_768
"""Bytes of each connection's receive buffer, in the kernel and again here: left to itself it
grows to megabytes, and a reader that stops would be noticed by nobody for minutes."""

SEGMENT = 1460
"""Bytes of a TCP segment, as on a real network."""

BEAT = 0.02
"""Seconds between two looks at how late the event loop runs."""

SHOWN = 40
"""Lanes of requests that have ended which are kept."""


class Client:
    """Sends a workload's requests over connections of their own and reads what comes.

    on_record: called with each record as it is made. clock: monotonic seconds. Use one `run` a
    client; `set`, `slow` and `stop` act while it goes on.
    """

    def __init__(
        self,
        target: Target,
        on_record: Callable[[Record], object] = lambda record: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.target, self._hear, self._clock = target, on_record, clock
        self.pace, self.readers = Pace(), SlowReaders()
        self.lags: list[float] = []
        """Seconds that the event loop was late, one every BEAT."""
        self._start: float | None = None
        self._cpu = 0.0
        self._streams: dict[int, Stream] = {}
        self._tasks: set[asyncio.Task] = set()
        self._gone: deque[Lane] = deque(maxlen=SHOWN)
        self._ended = dict.fromkeys(("ok", "rejected", "failed", "cancelled"), 0)
        self._sent = self._tokens = 0
        self._changed, self._stopped = asyncio.Event(), False

    @property
    def now(self) -> float:
        """Seconds since the run's start."""
        return self._clock() - self._start if self._start is not None else 0.0

    async def run(self, asks: Iterable[Ask], start: float | None = None) -> None:
        """Until the last request has ended. start: on the clock, now unless given."""
        self._start = self._clock() if start is None else start
        self._cpu = time.process_time()
        beat = asyncio.create_task(self._beat())
        connector = aiohttp.TCPConnector(
            limit=0, force_close=True, socket_factory=_socket, ttl_dns_cache=600
        )
        plain = aiohttp.ClientTimeout(total=None, sock_connect=30)
        try:
            async with aiohttp.ClientSession(
                connector=connector, timeout=plain, read_bufsize=RECEIVE, auto_decompress=False
            ) as session:
                for ask in asks:
                    due = await self._due(ask.at)
                    if due is None:
                        break
                    self._send(ask, due, session)
                while self._tasks:
                    await asyncio.wait(self._tasks)
        finally:
            beat.cancel()

    def set(self, factor: float) -> None:
        """Run the schedule so many times as fast from now on; 0 holds it."""
        self.pace.set(factor, self.now)
        self._changed.set()

    def slow(self, count: int, rate: float = 0.0) -> None:
        """Let the so many oldest open streams read at `rate` bytes/s; 0 stops them."""
        self.readers.set(count, rate)

    def stop(self) -> None:
        """Send nothing more and hang up on what is open; `run` then ends."""
        self._stopped = True
        self._changed.set()
        for task in self._tasks:
            # Soon, not now: a task that has not begun would end without its record.
            asyncio.get_running_loop().call_soon(task.cancel)

    def counters(self) -> Counters:
        """As they are now."""
        streaming = sum(s.first is not None for s in self._streams.values())
        lag = max(self.lags[-25:], default=0.0)
        return Counters(
            self.now, self._sent, len(self._streams), streaming,
            **self._ended, tokens=self._tokens, lag=lag, cpu=time.process_time() - self._cpu,
        )  # fmt: skip

    def lanes(self, most: int = SHOWN) -> list[Lane]:
        """At most so many requests, in order of arrival: the oldest open ones, the last ended."""
        live = [
            lane(s.ask.index, s.scheduled, s.answered, s.first, None)
            for s in list(self._streams.values())[:most]
        ]
        rest = most - len(live)
        gone = list(self._gone)[-rest:] if rest else []
        return sorted([*gone, *live], key=lambda a: a.number)

    async def _due(self, at: float) -> float | None:
        """Waits for a moment of the schedule and says when it was due; None once stopped."""
        await asyncio.sleep(0)
        while not self._stopped:
            due = self.pace.due(at)
            wait = due - self.now
            if wait <= 0:
                return due
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(wait, 3600)):
                    await self._changed.wait()
        return None

    def _send(self, ask: Ask, due: float, session: aiohttp.ClientSession) -> None:
        rest = partial(self.readers.rest, ask.index)
        stream = Stream(ask, self.target, due, lambda: self.now, rest, self._heard)
        self._sent += 1
        self._streams[ask.index] = stream
        self.readers.opened(ask.index)
        task = asyncio.create_task(self._read(stream, session))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self, stream: Stream, session: aiohttp.ClientSession) -> None:
        record = await stream.read(session)
        self.readers.closed(record.index)
        del self._streams[record.index]
        kind = record.status if record.status in self._ended else "failed"
        self._ended[kind] += 1
        self._gone.append(
            lane(record.index, stream.scheduled, stream.answered, stream.first, stream.ended,
                 record.status)
        )  # fmt: skip
        self._hear(record)

    def _heard(self, tokens: int) -> None:
        self._tokens += tokens

    async def _beat(self) -> None:
        while True:
            before = self._clock()
            await asyncio.sleep(BEAT)
            self.lags.append(self._clock() - before - BEAT)


def _socket(address: tuple) -> socket.socket:
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    # Before it connects: afterwards the window that was promised can't be taken back.
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE)
    if hasattr(socket, "TCP_MAXSEG"):
        # A loopback's segments have 64 KiB, and a server takes megabytes into its own buffer for
        # a reader that asks for them.
        with suppress(OSError):
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)
    return made
