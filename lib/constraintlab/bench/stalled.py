"""One reader that stops among many: what the server's memory does, and what the others notice."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from itertools import pairwise

import psutil

from constraintlab.engine.setup import Setup
from constraintlab.load.arrivals import Uniform
from constraintlab.load.fleet import Fleet
from constraintlab.load.profiles import Lengths, Profile
from constraintlab.load.record import Record
from constraintlab.load.target import Target
from constraintlab.load.workload import Workload
from constraintlab.serving.launch import Server
from constraintlab.serving.outbox import Limits

STEPS = 50
"""Tokens a second of each stream."""

SETTLE = 3.0
"""Seconds before and after a change that belong to neither side."""


@dataclass(frozen=True)
class Stalled:
    """grown: bytes that both processes of the server had more, at the most, while the reader stood
    still than just before. itl: p99 of the others' gaps in seconds, (before, meanwhile)."""

    grown: int
    itl: tuple[float, float]

    @property
    def ratio(self) -> float:
        """How much worse the others' p99 became."""
        return self.itl[1] / self.itl[0]


def stalled(streams: int, seconds: float, before: float) -> Stalled:
    """`before` seconds in which all read, then `seconds` in which one does not."""
    tokens = round((before + seconds + 2 * SETTLE) * STEPS)
    setup = Setup(f"stub@{STEPS}", blocks=streams * (tokens // 16 + 8), slots=streams, tokens=4096)
    profile = Profile("long", Lengths.exactly(16), Lengths.exactly(tokens))
    # Longer than it stands still: it is to be paused, and not to be cut off.
    with Server(setup, slow=Limits(patience=4 * seconds), grace=1.0) as server:
        load = Workload(Uniform(1000.0), profile, limit=streams)
        with Fleet(Target(server.url, setup.model), load) as fleet:
            time.sleep(before + SETTLE)
            pids = [server.pid, *(c.pid for c in psutil.Process(server.pid).children())]
            held, watch = _memory(pids), _Watch(pids)
            fleet.slow(1)
            began = time.monotonic() - fleet.start
            time.sleep(seconds)
            ended = time.monotonic() - fleet.start
            grown = watch.stop() - held
            fleet.slow(0)
            ran = fleet.wait(60 + seconds)
    others = [r for r in ran.records if r.index != 0]
    quiet = _p99(others, SETTLE, began - 0.1)
    return Stalled(grown, (quiet, _p99(others, began + 0.5, ended)))


class _Watch:
    """The most memory that processes hold, looked at ten times a second."""

    def __init__(self, pids: list[int]) -> None:
        self._pids, self._most, self._ended = pids, 0, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> int:
        self._ended.set()
        self._thread.join()
        return self._most

    def _run(self) -> None:
        while not self._ended.wait(0.1):
            self._most = max(self._most, _memory(self._pids))


def _memory(pids: list[int]) -> int:
    return sum(psutil.Process(p).memory_info().rss for p in pids)


def _p99(records: list[Record], start: float, end: float) -> float:
    """Of the gaps between events that ended within this part of the run."""
    gaps = []
    for r in records:
        times = r.events.times
        gaps += [b - a for a, b in pairwise(times) if start <= a and b <= end]
    gaps.sort()
    return gaps[round(0.99 * (len(gaps) - 1))]
