"""What a load client's process is given, and what it says it used."""

from __future__ import annotations

from dataclasses import dataclass

from constraintlab.load.target import Target
from constraintlab.load.workload import Workload


@dataclass(frozen=True)
class Job:
    """Part `part` of `of` of a workload."""

    target: Target
    workload: Workload
    part: int = 0
    of: int = 1


@dataclass(frozen=True)
class Spent:
    """What a client used: core-seconds, seconds, and how late its loop was, sampled evenly."""

    cpu: float
    wall: float
    lags: tuple[float, ...]
