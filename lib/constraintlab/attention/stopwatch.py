"""Where a call's time goes: every torch operation in it, timed as it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.utils._python_dispatch import TorchDispatchMode


@dataclass(frozen=True)
class Lap:
    """One operation of a call: its aten name (`bmm`, `mul_`, `_softmax`) and its seconds."""

    op: str
    seconds: float


class _Stopwatch(TorchDispatchMode):
    """Sees each operation that reaches a kernel; waits for the device on both sides of it."""

    def __init__(self, wait: Callable[[], object], clock: Callable[[], float]) -> None:
        super().__init__()
        self.laps: list[Lap] = []
        self._wait, self._clock = wait, clock

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Nothing is compiled here, and torch would import its compiler, for seconds, to say so.
        return False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self._wait()
        start = self._clock()
        out = func(*args, **(kwargs or {}))
        self._wait()
        self.laps.append(Lap(func.overloadpacket.__name__, self._clock() - start))
        return out


def laps(
    call: Callable[[], object],
    device: str = "cpu",
    clock: Callable[[], float] = time.perf_counter,
    least: float = 20e-6,
) -> tuple[list[Lap], float]:
    """(operations of `call` in order, seconds of the whole call).

    Operations under `least` seconds (views, mostly) are left out. What the operations don't
    add up to is the time between them: Python, dispatch, giving memory back.
    """
    wait = torch.cuda.synchronize if device == "cuda" else (lambda: None)
    with _Stopwatch(wait, clock):
        torch.empty(0)  # the first use of a dispatch mode imports what it needs
    watch = _Stopwatch(wait, clock)
    start = clock()
    with watch:
        result = call()
    wait()
    del result
    return [lap for lap in watch.laps if lap.seconds >= least], clock() - start
