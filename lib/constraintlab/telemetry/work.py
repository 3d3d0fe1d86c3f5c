"""`WorkCounter`: counted work over measured time, as rates that do not jump with each operation."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from constraintlab.telemetry.source import Reading

BUCKET = 0.02
"""Seconds per bucket: the finest moment to which work is credited."""


class Counted(Protocol):
    """What an operation asks for, e.g. `constraintlab.limits.work.Work`."""

    flops: float
    bytes: float
    fresh: float


@dataclass(frozen=True)
class Totals:
    """Everything finished since the start; `busy` is seconds inside at least one operation."""

    flops: float
    bytes: float
    fresh: float
    tokens: float
    busy: float


class WorkCounter:
    """Adds up work from any thread and reports it as rates over the last `window` seconds.

    One operation can take longer than the sampler's interval, so "work finished since the last
    sample" would swing between zero and many times the truth. Instead each operation's work is
    spread evenly over the time that it took, and the window ends where everything is known: at
    the present, or, while operations run, at the start of the oldest of them. Back-to-back
    operations of any length below `hold` thus read as one steady rate, late by at most one
    operation. Once an operation has run for longer than `hold` the rates say `n/a`, since a
    frozen value would look like progress. `work.busy_share` needs no such care: it is the part
    of the last `window` seconds in which at least one operation ran, the running ones included.

    Kernels on a GPU return before they are done: end the operation after a synchronise.
    """

    name = "work"

    def __init__(
        self,
        window: float = 2.0,
        hold: float = 4.0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if window < 2 * BUCKET or hold < 0:
            raise ValueError(f"window must be at least {2 * BUCKET} s and hold 0 s or more")
        self.window, self.hold, self._clock = window, hold, clock
        self._size = int((window + hold) / BUCKET) + 2
        self._rings = [[0.0] * self._size for _ in Totals.__dataclass_fields__]
        self._totals = [0.0] * len(self._rings)
        self._newest = 0
        self._running: dict[int, float] = {}
        self._operations = 0
        self._start = self._busy_since = clock()  # of the rings; of the time now busy
        self._lock = threading.Lock()

    def restart(self) -> None:
        """Forget the window: what came before is neither work nor idleness. Totals go on."""
        with self._lock:
            self._start, self._newest = self._clock(), 0
            self._rings = [[0.0] * self._size for _ in self._rings]

    def add(self, work: Counted | None, tokens: float = 0.0, seconds: float = 0.0) -> None:
        """Work finished just now, done evenly over the last `seconds`."""
        now = self._clock()
        with self._lock:
            self._credit(now - seconds, now, work, tokens)

    def begin(self) -> int:
        """An operation starts; hand the answer to `end`, from any thread."""
        now = self._clock()
        with self._lock:
            if not self._running:
                self._busy_since = now
            self._operations += 1
            self._running[self._operations] = now
            return self._operations

    def end(self, operation: int, work: Counted | None = None, tokens: float = 0.0) -> float:
        """The operation is done: credit its work and return the seconds it took.

        Without `work` nothing is credited (it failed), but its time still counts as busy.
        """
        now = self._clock()
        with self._lock:
            start = self._running.pop(operation, None)
            if start is None:
                raise ValueError("this operation has ended already: call end() once per begin()")
            self._credit(start, now, work, tokens)
            if not self._running:
                self._spread(4, now - self._busy_since, self._busy_since, now)
            return now - start

    @contextmanager
    def busy(self, work: Counted | None = None, tokens: float = 0.0) -> Iterator[None]:
        """The body is one operation that does `work`; when it raises, no work is credited."""
        operation = self.begin()
        try:
            yield
        except BaseException:
            self.end(operation)
            raise
        self.end(operation, work, tokens)

    @property
    def totals(self) -> Totals:
        """Everything finished so far; operations that still run are not in it."""
        with self._lock:
            return Totals(*self._totals)

    def read(self) -> Mapping[str, Reading]:
        with self._lock:
            now = self._clock()
            oldest = min(self._running.values(), default=now)
            self._advance(now)
            *rates, busy_ring = self._rings
            sums = [self._sum(ring, oldest) for ring in rates]
            busy = self._sum(busy_ring, now)
            if self._running:
                busy += now - max(self._busy_since, self._start, now - self.window)
        return {
            **dict(zip(_RATES, self._rates(sums, oldest, now), strict=True)),
            "work.busy_share": self._share(busy, now),
        }

    def close(self) -> None:
        """Nothing to give back: the counter goes on counting."""

    def _rates(self, sums: list[float], end: float, now: float) -> list[Reading]:
        seconds = min(self.window, end - self._start)
        if now - end > self.hold:
            why = f"one operation has run for over {self.hold:g} s: its rate is known when it ends"
        elif seconds < BUCKET:
            why = "no operation has ended yet"
        else:
            return [Reading.counted(amount / seconds) for amount in sums]
        return [Reading.absent(why)] * len(sums)

    def _share(self, busy: float, now: float) -> Reading:
        seconds = min(self.window, now - self._start)
        if seconds < BUCKET:
            return Reading.absent("the counter has only just started")
        return Reading.measured(min(1.0, busy / seconds))

    def _credit(self, start: float, end: float, work: Counted | None, tokens: float) -> None:
        """Work and tokens of one operation, done evenly over start..end."""
        self._advance(end)
        if work is not None:
            for ring, amount in enumerate((work.flops, work.bytes, work.fresh)):
                if amount:
                    self._spread(ring, amount, start, end)
        if tokens:
            self._spread(3, tokens, start, end)

    def _spread(self, which: int, amount: float, start: float, end: float) -> None:
        """Put `amount` into the buckets of start..end; what is older than them is only totalled."""
        self._totals[which] += amount
        ring, size = self._rings[which], self._size
        start, end = start - self._start, end - self._start
        first, last = int(start / BUCKET), int(end / BUCKET)
        if first >= last:
            ring[last % size] += amount
            return
        rate = amount / (end - start)
        for b in range(max(first, 0, self._newest - size + 1), last + 1):
            covered = min(end, (b + 1) * BUCKET) - max(start, b * BUCKET)
            ring[b % size] += rate * max(0.0, covered)

    def _advance(self, now: float) -> None:
        """Empty the buckets that time has entered since the newest."""
        bucket = int((now - self._start) / BUCKET)
        if bucket <= self._newest:
            return
        for b in range(max(self._newest + 1, bucket - self._size + 1), bucket + 1):
            for ring in self._rings:
                ring[b % self._size] = 0.0
        self._newest = bucket

    def _sum(self, ring: list[float], end: float) -> float:
        """What the ring holds of the `window` seconds before `end`.

        The last bucket counts whole, since nothing in it was done after `end`; the first only
        as far as the window covers it.
        """
        low = max(0.0, end - self.window - self._start) / BUCKET
        first, last = int(low), int((end - self._start) / BUCKET)
        kept = max(first, self._newest - self._size + 1)
        if kept > last:
            return 0.0
        a, b = kept % self._size, last % self._size + 1
        total = sum(ring[a:b]) if a < b else sum(ring[a:]) + sum(ring[:b])
        if kept == first:
            total -= ring[a] * (low - first)
        return total


_RATES = ("work.flops_per_s", "work.bytes_per_s", "work.fresh_bytes_per_s", "work.tokens_per_s")
