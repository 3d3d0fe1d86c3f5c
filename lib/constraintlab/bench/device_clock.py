"""Seconds of one call on its device: a GPU's own events behind a flushed cache, or the wall clock.

A GPU's kernels are timed by events in its own queue, so that neither Python nor a wait for the
host is in the figure. Before each call a buffer that no cache holds is written: what the call
reads comes from memory, and while the buffer is written Python has time to queue the call.
"""

from __future__ import annotations

import time
from collections.abc import Callable

GIB = 1024**3


class DeviceClock:
    """`lap(call)` is what `course.measure.interleave` takes; `wait()` lets the device finish."""

    def __init__(self, device: str) -> None:
        self.device = device
        self._buffer = None
        if device == "cuda":
            import torch

            whole = torch.cuda.get_device_properties(0).total_memory
            self._buffer = torch.empty(min(GIB, whole // 16), dtype=torch.int8, device=device)

    def lap(self, call: Callable[[], object]) -> float:
        """Seconds of `call` alone."""
        if self._buffer is None:
            start = time.perf_counter()
            call()
            return time.perf_counter() - start
        import torch

        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        self._buffer.zero_()
        begin.record()
        call()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / 1e3

    def wait(self) -> None:
        """Nothing of what was asked so far is still under way."""
        if self.device == "cuda":
            import torch

            torch.cuda.synchronize()


def here() -> str:
    """`cuda` where torch can use a GPU, else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
