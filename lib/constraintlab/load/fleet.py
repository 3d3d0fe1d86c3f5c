"""`Fleet`: a workload's clients, each in a process of its own, seen as one run.

One process is enough for most: a client reads about EVENTS events per core-second. Of several,
each sends every so-many-th request of the same schedule: the load is the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from constraintlab.load.job import Job
from constraintlab.load.live import Counters, Lane
from constraintlab.load.process import ClientProcess
from constraintlab.load.record import Record
from constraintlab.load.report import Client as Used
from constraintlab.load.slow import check
from constraintlab.load.target import Target
from constraintlab.load.workload import Workload

EVENTS = 20_000
"""Events that a client reads per core-second."""

SOON = 0.05
"""Seconds between the command to start and the start: it must reach all processes before."""


class LoadDied(RuntimeError):
    """A client's process ended by itself; the message has the end of its log."""


@dataclass(frozen=True)
class Ran:
    """A run that has ended, or been stopped. records: in order of arrival."""

    records: tuple[Record, ...]
    used: Used


class Fleet:
    """Starts the clients and the run; use it with `with`, or call `close`.

    The processes end when this one does. on_seen: called from a thread with the counters of all
    together, about ten times a second and process. job: what each is given. held: the processes
    start, and the run with `begin`. Raises ValueError for fewer than one process, LoadDied when a
    client can't start; `wait` does when one dies.
    """

    def __init__(
        self,
        target: Target,
        workload: Workload,
        processes: int = 1,
        on_seen: Callable[[Counters], object] = lambda counters: None,
        job: type[Job] = Job,
        held: bool = False,
    ) -> None:
        if processes < 1:
            raise ValueError(f"processes={processes}: give 1 or more")
        self._clients: list[ClientProcess] = []
        for part in range(processes):
            own = job(target, workload, part, processes)
            self._clients.append(ClientProcess(own, lambda: on_seen(self.counters)))
        if not held:
            self.begin()

    def begin(self) -> None:
        """The run starts, as soon as all processes are there. LoadDied when one can't start."""
        for client in self._clients:
            client.ready()
        if self._died:
            self.close()
            raise LoadDied(self._died)
        self.start = time.monotonic() + SOON
        """On time.monotonic's clock, which all processes of a machine share."""
        self._tell(self.start)

    @property
    def counters(self) -> Counters:
        """Of all clients together, at most a tenth of a second old."""
        return Counters.total([c.counters for c in self._clients])

    @property
    def records(self) -> list[Record]:
        """Those that have ended so far, in order of arrival."""
        found = [r for c in self._clients for r in c.records[:]]
        return sorted(found, key=lambda r: r.index)

    @property
    def running(self) -> bool:
        """Whether a client still is."""
        return any(c.thread.is_alive() for c in self._clients)

    def lanes(self, most: int = 20) -> list[Lane]:
        """Requests as lanes, in order of arrival: those that are open, and the last that ended."""
        found = [lane for c in self._clients for lane in c.lanes]
        found.sort(key=lambda a: (bool(a.ended), -a.number if a.ended else a.number))
        return sorted(found[:most], key=lambda a: a.number)

    def set(self, factor: float) -> None:
        """Run the schedule so many times as fast from now on; 0 holds it."""
        if not 0 <= factor < float("inf"):
            raise ValueError(f"factor={factor}: give 1 for the schedule's own pace, 0 to hold it")
        self._tell(("set", factor))

    def slow(self, count: int, rate: float = 0.0) -> None:
        """Let so many of the open streams read at `rate` bytes/s each; 0 stops them."""
        check(count, rate)
        n = len(self._clients)
        for i, client in enumerate(self._clients):
            client.tell(("slow", count // n + (i < count % n), rate))

    def stop(self) -> None:
        """Send nothing more and hang up on what is open."""
        self._tell(("stop",))

    def wait(self, timeout: float | None = None) -> Ran:
        """Until the last request has ended. TimeoutError if that is not so after `timeout` s."""
        end = None if timeout is None else time.monotonic() + timeout
        for client in self._clients:
            client.thread.join(None if end is None else max(0.0, end - time.monotonic()))
            if client.thread.is_alive():
                raise TimeoutError(f"the run has not ended after {timeout:g} s")
        if self._died:
            raise LoadDied(self._died)
        return Ran(tuple(self.records), self.used)

    @property
    def used(self) -> Used:
        """What the clients that have ended used."""
        spent = [c.spent for c in self._clients if c.spent]
        lags = [lag for s in spent for lag in s.lags]
        wall = max((s.wall for s in spent), default=0.0)
        return Used(sum(s.cpu for s in spent), wall, len(self._clients), lags)

    def close(self) -> None:
        """End the processes; may be called twice."""
        for client in self._clients:
            client.close()

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _died(self) -> str:
        return next((c.died for c in self._clients if c.died), "")

    def _tell(self, message: object) -> None:
        for client in self._clients:
            client.tell(message)
