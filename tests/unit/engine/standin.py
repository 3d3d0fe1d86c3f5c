"""A device that is not there: the CPU in its place, so that all but the recording itself is run."""

from __future__ import annotations

import torch

from constraintlab.engine.model.device_runner import DeviceRunner
from constraintlab.engine.model.graphs import Graphs
from constraintlab.engine.model.pool import KVPool
from constraintlab.engine.model.staging import Staging


class Event:
    """A moment of a clock that the test moves. record: what the device has done by then."""

    def __init__(self, machine) -> None:
        self._machine, self.at = machine, None

    def record(self) -> None:
        self.at = self._machine.device_time
        self._machine.log.append("event")

    def synchronize(self) -> None:
        self._machine.log.append("wait")
        self._machine.host_time += self._machine.late

    def elapsed_time(self, later) -> float:
        return 1e3 * (later.at - self.at)


class Standin:
    """A `staging.Machine`. late: seconds that each wait takes; log: what crossed, in order."""

    device = "cpu"

    def __init__(self, late: float = 0.0) -> None:
        self.late, self.host_time, self.device_time = late, 0.0, 0.0
        self.log: list[str] = []

    def pinned(self, n: int, dtype: torch.dtype) -> torch.Tensor:
        self.log.append("buffer")
        return torch.full((n,), -(2**31), dtype=dtype)  # what nobody writes is seen

    def event(self) -> Event:
        return Event(self)

    def clock(self) -> float:
        return self.host_time


class Again:
    """A `graphs.Recorder`: what was recorded is run again, on the same tensors."""

    def __init__(self) -> None:
        self.recorded = self.replayed = 0

    def __call__(self, call):
        call()
        self.recorded += 1

        def replay():
            self.replayed += 1
            call()

        return replay


def runner(decoder, blocks, block_size, *, slots=0, width=8, record=None, machine=None):
    """A `DeviceRunner` of a decoder on the CPU, with graphs for `slots` sequences, if any; slots of
    its pool that nobody has written hold NaN."""
    pool = KVPool(decoder.config, blocks, block_size, spare=1)
    for layer in (*pool.k, *pool.v):
        layer.fill_(float("nan"))
    machine = machine or Standin()
    graphs = Graphs(decoder, pool, slots, width, record or Again()) if slots else None
    staging = Staging(machine, machine.clock)
    return DeviceRunner(decoder, pool, staging=staging, graphs=graphs, why="no graphs here")
