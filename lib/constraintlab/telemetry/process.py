"""`ProcessSource`: what this process spends: CPU time, fresh pages, context switches, memory."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from constraintlab.limits import cgroup
from constraintlab.telemetry.source import FIRST, Reading
from constraintlab.telemetry.trail import Trail

PACE = 0.5
"""Seconds between two looks at resident memory."""


@dataclass(frozen=True)
class Usage:
    """What a process has spent since it started; None where the system does not say.

    `switches` are context switches (voluntary, involuntary) of all its threads.
    """

    cpu_seconds: float
    minor_faults: int | None = None
    switches: tuple[int, int] | None = None


def own_usage() -> Usage:
    """This process's spending, all threads included."""
    try:
        import resource
    except ImportError:  # Windows
        return Usage(time.process_time())
    now = resource.getrusage(resource.RUSAGE_SELF)
    return Usage(time.process_time(), now.ru_minflt, (now.ru_nvcsw, now.ru_nivcsw))


def own_rss(root: Path = cgroup.ROOT) -> int:
    """Bytes of this process's memory that are resident."""
    pages = cgroup.words(f"{root}/proc/self/statm")
    if pages and len(pages) > 1 and pages[1].isdecimal():
        import resource

        return int(pages[1]) * resource.getpagesize()
    import psutil

    return psutil.Process().memory_info().rss


class ProcessSource:
    """This process, all threads included; rates over the last half second (`trail.WINDOW`).

    Resident memory is looked at every `PACE` seconds, since a look costs the busy threads more
    than all the rest, and repeated in between. Minor faults are fresh pages being handed out,
    so they show the `pages` resource at work. `usage`, `rss` and `clock` are passed in by tests.
    """

    name = "process"

    def __init__(
        self,
        usage: Callable[[], Usage] = own_usage,
        rss: Callable[[], int] = own_rss,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._usage, self._rss, self._clock = usage, rss, clock
        self.close()

    def close(self) -> None:
        """Forget everything: the next read starts anew."""
        self._trail = Trail()
        self._resident, self._looked_at = 0, float("-inf")

    def read(self) -> Mapping[str, Reading]:
        usage = self._usage()
        switches = usage.switches or (None, None)
        counters = {
            "proc.cpu_cores": usage.cpu_seconds,
            "proc.minor_faults_per_s": usage.minor_faults,
            "proc.voluntary_switches_per_s": switches[0],
            "proc.involuntary_switches_per_s": switches[1],
        }
        now = self._clock()
        if now - self._looked_at >= PACE:
            self._looked_at, self._resident = now, self._rss()
        growth = self._trail.growth(now, *(c or 0 for c in counters.values()))
        seconds, grown = growth or (0.0, [0.0] * len(counters))
        readings = {"proc.rss_bytes": Reading.measured(self._resident)}
        for (name, counter), amount in zip(counters.items(), grown, strict=True):
            if counter is None:
                readings[name] = Reading.absent(f"{_system()} does not count it per process")
            elif growth is None:
                readings[name] = Reading.absent(FIRST)
            else:
                readings[name] = Reading.measured(amount / seconds)
        return readings


def _system() -> str:
    return {"win32": "Windows", "darwin": "macOS"}.get(sys.platform, sys.platform)
