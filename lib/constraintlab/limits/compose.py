"""The composed throughput: kernels' maxima added up, stations in a pipeline, cores as a budget.

Operational analysis in the sense of Denning and Buzen (1978): a demand over a capacity is a
service time. Inside a kernel arithmetic overlaps memory traffic, so the longer of the two
counts; kernels, first touches and host stages follow one another, so they add; stations run
side by side, so the slowest sets the pace.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from constraintlab.limits.capacities import Capacities
from constraintlab.limits.resource import Resource
from constraintlab.limits.stack import Stack
from constraintlab.limits.work import Kernel


@dataclass(frozen=True)
class Cost:
    """Seconds of a step that one part spends on one resource: `fixed`, and `each` per sequence.

    `cores` is how many cores it keeps busy meanwhile.
    """

    part: str
    resource: Resource
    fixed: float
    each: float
    cores: float = 1.0

    def at(self, n: float) -> float:
        """Seconds of a step with n sequences."""
        return self.fixed + self.each * n


@dataclass(frozen=True)
class Pace:
    """How fast one part of the pipeline could go alone, in tokens/s, and what it is made of."""

    name: str
    x: float
    costs: tuple[Cost, ...]
    resource: Resource | None = None


def kernel_costs(kernel: Kernel, caps: Capacities, n: float) -> Iterator[Cost]:
    """The binding side of a kernel at n sequences, then its first touches."""
    unit = caps.compute.get(kernel.unit)
    flops = unit.value if unit else math.nan
    sides = []
    if kernel.fixed.flops or kernel.each.flops:
        sides.append(
            Cost(
                kernel.name,
                Resource.COMPUTE,
                kernel.fixed.flops / flops,
                kernel.each.flops / flops,
                caps.cores,
            )
        )
    if kernel.fixed.bytes or kernel.each.bytes:
        rate = caps.bandwidth.value
        sides.append(
            Cost(
                kernel.name,
                Resource.BANDWIDTH,
                kernel.fixed.bytes / rate,
                kernel.each.bytes / rate,
                caps.cores,
            )
        )
    if sides:
        yield max(sides, key=lambda c: c.each if math.isinf(n) else c.at(n))
    if kernel.fixed.fresh or kernel.each.fresh:
        rate = caps.pages.value
        yield Cost(
            kernel.name,
            Resource.PAGES,
            kernel.fixed.fresh / rate,
            kernel.each.fresh / rate,
            caps.cores,
        )


def step_costs(stack: Stack, caps: Capacities) -> tuple[Cost, ...]:
    """Every cost of one engine step at the working point, in order."""
    n = stack.resident
    kernels = [c for k in stack.kernels for c in kernel_costs(k, caps, n)]
    host = [Cost(s.name, Resource.HOST, s.fixed, s.each) for s in stack.host]
    return (*kernels, *host)


def _pace(name: str, costs: tuple[Cost, ...], stack: Stack, lanes: float = 1.0) -> Pace:
    """Tokens/s of `costs` paid once a step by n sequences, `lanes` of them side by side."""
    n = stack.resident
    if math.isinf(n):
        seconds = sum(c.each for c in costs)
        return Pace(name, stack.tokens * lanes / seconds if seconds else math.inf, costs)
    seconds = sum(c.at(n) for c in costs)
    return Pace(name, n * stack.tokens * lanes / seconds if seconds else math.inf, costs)


def paces(stack: Stack, caps: Capacities) -> tuple[Pace, ...]:
    """Each part of the pipeline by itself: the engine, the stations, the cores, the load."""
    engine = step_costs(stack, caps)
    parts = [_pace("engine", engine, stack)]
    parts += [
        Pace(s.name, 1 / s.seconds if s.seconds else math.inf, (), s.resource)
        for s in stack.stations
    ]
    if stack.shared_cores and any(s.cores for s in stack.stations):
        spent = tuple(
            Cost(c.part, c.resource, c.fixed * c.cores, c.each * c.cores) for c in engine
        ) + tuple(Cost(s.name, s.resource, 0.0, s.cores * stack.tokens) for s in stack.stations)
        parts.append(_pace("cores", spent, stack, lanes=stack.shared_cores))
    parts.append(Pace("offered load", stack.offered, (), Resource.DEMAND))
    return tuple(parts)


def slowest(stack: Stack, caps: Capacities) -> Pace:
    """The part that sets X; the engine first when two are equal."""
    return min(paces(stack, caps), key=lambda p: p.x)


def throughput(stack: Stack, caps: Capacities) -> float:
    """X in tokens/s."""
    return slowest(stack, caps).x
