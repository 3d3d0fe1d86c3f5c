"""What a fix can change: a capacity, a demand, processes, prompts' pieces, or the whole stack.

Every factor is a size, see `sizes.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Literal, Protocol

from constraintlab.limits.capacities import Capacities
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource
from constraintlab.limits.sizes import Pick, told
from constraintlab.limits.stack import Stack, Station, scale
from constraintlab.limits.uses import UNITS, uses
from constraintlab.limits.work import Work


class Change(Protocol):
    """One thing that a fix does to a stack or to a machine; as a string, in words."""

    def touches(self, stack: Stack) -> bool:
        """Whether there is anything in this stack that it would change."""

    def apply(self, stack: Stack, caps: Capacities, pick: Pick) -> tuple[Stack, Capacities]:
        """Both as they would be afterwards."""


@dataclass(frozen=True)
class Capacity:
    """A capacity, in the unit that it has, `times` a factor above 0; infinity removes the limit."""

    resource: Resource
    times: Estimate

    def __post_init__(self) -> None:
        if not self.times.low > 0:
            raise ValueError(f"{self.resource.label} × {self.times.low:g}: give a factor above 0")

    def __str__(self) -> str:
        return f"{self.resource.label} ({UNITS[self.resource]}) {told(self.times)}"

    def touches(self, stack: Stack) -> bool:
        return uses(stack, self.resource)

    def apply(self, stack: Stack, caps: Capacities, pick: Pick) -> tuple[Stack, Capacities]:
        return scale(stack, caps, self.resource, pick(self.times))


What = Literal["flops", "bytes", "fresh", "seconds"]

_WHAT = {
    "flops": "FLOP", "bytes": "bytes", "fresh": "fresh bytes", "seconds": "core-seconds",
}  # fmt: skip


@dataclass(frozen=True)
class Demand:
    """What some parts ask for, `times` a finite factor of 0 or more; 0 is all of it saved.

    what: `flops`, `bytes` or `fresh` bytes of kernels (`bytes` of a link, too), or core-`seconds`
    of host stages and of stations' stages. of: their names, with * for any letters. part: only
    what is paid once a step (`fixed`) or for each sequence (`each`); both without.
    """

    what: What
    of: tuple[str, ...]
    times: Estimate
    part: Literal["fixed", "each", ""] = ""

    def __post_init__(self) -> None:
        if not (self.times.low >= 0 and math.isfinite(self.times.high)):
            raise ValueError(f"{self.what} × {self.times.value:g}: give a finite factor of 0 up")

    def __str__(self) -> str:
        paid = {"fixed": ", once a step", "each": ", for each sequence or token"}.get(self.part, "")
        return f"{_WHAT[self.what]} of {', '.join(self.of)}{paid} {told(self.times)}"

    def named(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.of)

    def touches(self, stack: Stack) -> bool:
        return any(self.named(name) for name, amount in self._amounts(stack) if amount)

    def _amounts(self, stack: Stack) -> Iterable[tuple[str, float]]:
        if self.what == "seconds":
            yield from ((s.name, s.fixed + s.each) for s in stack.host)
            yield from (stage for s in stack.stations for stage in s.stages)
            return
        yield from ((k.name, getattr(k.fixed + k.each, self.what)) for k in stack.kernels)
        if self.what == "bytes":
            linked = (s for s in stack.stations if s.resource is Resource.NETWORK)
            yield from ((s.name, s.seconds) for s in linked)

    def apply(self, stack: Stack, caps: Capacities, pick: Pick) -> tuple[Stack, Capacities]:
        by = pick(self.times)
        fixed, each = (by if self.part in ("", part) else 1.0 for part in ("fixed", "each"))
        if self.what == "seconds":
            host = tuple(
                replace(s, fixed=s.fixed * fixed, each=s.each * each) if self.named(s.name) else s
                for s in stack.host
            )
            stations = tuple(self._stages(s, each) for s in stack.stations)
            return replace(stack, host=host, stations=stations), caps

        def less(work: Work, factor: float) -> Work:
            return replace(work, **{self.what: getattr(work, self.what) * factor})

        kernels = tuple(
            replace(k, fixed=less(k.fixed, fixed), each=less(k.each, each))
            if self.named(k.name) else k
            for k in stack.kernels
        )  # fmt: skip
        stations = tuple(
            replace(s, seconds=s.seconds * each)
            if self.what == "bytes" and s.resource is Resource.NETWORK and self.named(s.name) else s
            for s in stack.stations
        )  # fmt: skip
        return replace(stack, kernels=kernels, stations=stations), caps

    def _stages(self, station: Station, factor: float) -> Station:
        """A station some of whose stages take that much of their time."""
        before = sum(seconds for _, seconds in station.stages)
        if not before:
            return station
        stages = tuple((n, s * factor if self.named(n) else s) for n, s in station.stages)
        less = sum(seconds for _, seconds in stages) / before
        return replace(
            station, seconds=station.seconds * less, cores=station.cores * less, stages=stages
        )


@dataclass(frozen=True)
class Processes:
    """`times` as many processes for a station: less time for a token, as many core-seconds."""

    of: str
    times: Estimate

    def __str__(self) -> str:
        return f"processes of the {self.of} {told(self.times)}"

    def touches(self, stack: Stack) -> bool:
        return any(s.name == self.of for s in stack.stations)

    def apply(self, stack: Stack, caps: Capacities, pick: Pick) -> tuple[Stack, Capacities]:
        by = pick(self.times)
        stations = tuple(
            replace(s, seconds=s.seconds / by) if s.name == self.of else s for s in stack.stations
        )
        return replace(stack, stations=stations), caps


@dataclass(frozen=True)
class Pieces:
    """Prompts computed in `times` as many pieces: more steps have some of them, each has less.

    Of kernels that only some steps have (`Kernel.often`); where the average step was counted, its
    prompts are in it already.
    """

    times: Estimate

    def __str__(self) -> str:
        return f"pieces of a prompt {told(self.times)}"

    def touches(self, stack: Stack) -> bool:
        return any(k.often for k in stack.kernels)

    def apply(self, stack: Stack, caps: Capacities, pick: Pick) -> tuple[Stack, Capacities]:
        by = pick(self.times)
        kernels = tuple(
            replace(k, often=k.often * by, fixed=k.fixed * (1 / by)) if k.often else k
            for k in stack.kernels
        )
        return replace(stack, kernels=kernels), caps


@dataclass(frozen=True)
class Counted:
    """The stack as it was counted with the fix: what code does that is there already."""

    stack: Stack

    def __str__(self) -> str:
        return "demands as they were counted"

    def touches(self, stack: Stack) -> bool:
        return stack != self.stack

    def apply(self, stack: Stack, caps: Capacities, pick: Pick) -> tuple[Stack, Capacities]:
        return self.stack, caps
