"""What a load client's process is given, and what it says it used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from constraintlab.load.record import Record
from constraintlab.load.target import Target
from constraintlab.load.workload import Workload

if TYPE_CHECKING:
    from constraintlab.load.client import Client


@dataclass(frozen=True)
class Job:
    """Part `part` of `of` of a workload."""

    target: Target
    workload: Workload
    part: int = 0
    of: int = 1

    def client(self, hear: Callable[[Record], object]) -> Client:
        """Who sends it; hear: called with each record."""
        from constraintlab.load.client import Client

        return Client(self.target, hear)


@dataclass(frozen=True)
class Spent:
    """What a client used: core-seconds, seconds, and how late its loop was, sampled evenly."""

    cpu: float
    wall: float
    lags: tuple[float, ...]
