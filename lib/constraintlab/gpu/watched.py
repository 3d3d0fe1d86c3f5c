"""Run a call for a while under the sampler: what the telemetry said, beside what was counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from constraintlab.telemetry.sample import Sample

SETTLED = 0.8
"""Seconds after which a figure is of this run alone: NVML's own interval is up to a second."""

DEEP = 8
"""Calls that are queued before the host waits: the GPU never runs dry, nor runs far ahead."""


@dataclass(frozen=True)
class Watched:
    """A run. rate: calls a second, counted. samples: those after SETTLED."""

    rate: float
    samples: tuple[Sample, ...]

    def said(self, name: str) -> tuple[float | None, str]:
        """(median of a value, "") or (None, why it is absent)."""
        values = [s.values.get(name) for s in self.samples]
        found = [v for v in values if v is not None]
        if found:
            return median(found), ""
        why = [s.sources.get(name, "n/a: no source has it") for s in self.samples]
        return None, (why[-1] if why else "n/a: no sample was taken").removeprefix("n/a: ")


def watch(
    call: Callable[[], object],
    sources: Sequence,
    seconds: float,
    wait: Callable[[], object] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> Watched:
    """Call it again and again for `seconds`, ten samples a second beside it.

    The rate is over the whole run, waits included: what the device really got done.
    """
    from constraintlab.telemetry.sampler import Sampler

    kept: list[Sample] = []
    call()
    wait()
    with Sampler(sources, sinks=[kept.append]):
        done, start = repeated(call, seconds, wait, clock)
    return Watched(done / start, tuple(s for s in kept if s.t >= SETTLED))


def repeated(
    call: Callable[[], object],
    seconds: float,
    wait: Callable[[], object],
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[int, float]:
    """(calls, seconds) of calling it until `seconds` are over, the last one finished."""
    done, start = 0, clock()
    while clock() - start < seconds or not done:
        for _ in range(DEEP):
            call()
        done += DEEP
        wait()
    return done, clock() - start
