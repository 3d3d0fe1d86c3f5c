"""`Hub`: all connections through a link, and the pump that moves their bytes."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from dataclasses import asdict
from random import Random

from constraintlab.serving.link_pair import Pair, Side
from constraintlab.serving.link_settings import LinkStats, Settings
from constraintlab.serving.shaping import Shared

EVERY = 0.1
"""Seconds between two points from which the present rate is read."""


class Hub:
    """host, port: of the server. queue: bytes that may wait in front of the link for each
    connection and direction. buffer: of each socket. seed: of the jitter."""

    def __init__(
        self, host: str, port: int, settings: Settings, queue: int, buffer: int, seed: int
    ) -> None:
        self.host, self.port, self.queue, self.buffer = host, port, queue, buffer
        self.loop = asyncio.get_running_loop()
        self.settings, self.pairs = settings, {}
        self.opened = self.were_cut = 0
        self.carried = {True: 0, False: 0}
        """Bytes delivered up (True) and down."""
        random, now = Random(seed), self.now()
        self._ways = {
            up: Shared(now, lambda: random.uniform(0, self.settings.jitter)) for up in (True, False)
        }
        self._busy: dict[Side, None] = {}
        self._start, self._timer, self._soon, self._stalled = now, None, False, 0.0
        self._seen: deque[tuple[float, int]] = deque([(now, 0)], maxlen=round(1 / EVERY) + 1)
        self.set(settings)

    @staticmethod
    def now() -> float:
        return time.monotonic()

    def set(self, settings: Settings) -> None:
        """From now on, for what waits too."""
        self.settings, now = settings, self.now()
        for up, rate in ((True, settings.up_rate), (False, settings.rate)):
            self._ways[up].bucket.set(rate if settings.shared else None, now)
        for pair in self.pairs.values():
            self.shape(pair)

    def shape(self, pair: Pair) -> None:
        """Gives a connection what is its own."""
        s, now = self.settings, self.now()
        up, down = (None, None) if s.shared else (s.up_rate, s.rate)
        if pair.number in s.slow:
            down = s.slow_rate if down is None else min(s.slow_rate, down)
        pair.client.line.own.set(up, now)
        pair.server.line.own.set(down, now)
        pair.server.line.cut_after = s.cut
        self.soon(pair.client)
        self.soon(pair.server)

    def stall(self, seconds: float) -> None:
        """Nothing goes on the link for so long."""
        self._stalled = self.now() + seconds
        self._pump_soon()

    def open(self) -> asyncio.Protocol:
        """A client's side of a new connection."""
        self.opened += 1
        pair = Pair(self, self.opened)
        self.pairs[pair.number] = pair
        self.shape(pair)
        return pair.client

    def soon(self, side: Side) -> None:
        """Look at this side's line once this turn of the loop is over."""
        self._busy[side] = None
        self._pump_soon()

    def free(self, side: Side) -> bool:
        """Whether nothing shapes this direction and nothing waits: its bytes can pass at once."""
        s, line = self.settings, side.line
        return (
            line.empty
            and self._ways[side.up].bucket.rate is None
            and line.own.rate is None
            and line.cut_after is None
            and not (s.delay or s.jitter)
            and self._stall_ends(self.now()) is None
        )

    def stats(self) -> dict:
        """As `LinkStats` has them."""
        now, pairs, down = self.now(), list(self.pairs.values()), self.carried[False]
        then, before = self._seen[0]
        lines = [pair.server.line for pair in pairs]
        return asdict(
            LinkStats(
                now=now - self._start,
                up=self.carried[True],
                down=down,
                rate=(down - before) / max(now - then, 1e-3),
                capacity=self.settings.rate,
                opened=self.opened,
                cut=self.were_cut,
                waiting=sum(line.waiting for line in lines),
                flying=sum(line.flying for line in lines),
                cpu=time.process_time(),
                connections=tuple(p.seen(p.number in self.settings.slow) for p in pairs),
            )
        )

    async def watch(self) -> None:
        """Keeps the last second's points, for ever."""
        while True:
            await asyncio.sleep(EVERY)
            self._seen.append((self.now(), self.carried[False]))

    def _stall_ends(self, now: float) -> float | None:
        """When the present stall ends; None if there is none."""
        if now < self._stalled:
            return self._stalled
        if self.settings.stalls is None:
            return None
        every, lasting = self.settings.stalls
        inside = (now - self._start) % every
        # The last part of each period, so that a run does not begin with a stall.
        return now + every - inside if inside >= every - lasting else None

    def _pump_soon(self) -> None:
        if not self._soon:
            self._soon = True
            self.loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._soon = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now, delay, sides = self.now(), self.settings.delay, list(self._busy)
        wake, ends = math.inf, self._stall_ends(now)
        for up, way in self._ways.items():
            lines = [s.line for s in sides if s.up == up and s.takes(now, delay)]
            if lines:
                wake = min(wake, way.step(lines, now) if ends is None else ends)
        for side in sides:
            wake = min(wake, side.deliver(now, delay))
            if side.idle:
                del self._busy[side]
        if wake < math.inf:
            self._timer = self.loop.call_later(max(0.0, wake - self.now()), self._pump)
