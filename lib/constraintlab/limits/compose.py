"""The composed throughput: kernels' maxima added up, stations in a pipeline, cores as a budget.

Operational analysis in the sense of Denning and Buzen (1978): a demand over a capacity is a
service time. Inside a kernel arithmetic overlaps memory traffic, so the longer of the two
counts; kernels, first touches and host stages follow one another, so they add; stations run
side by side, so the slowest sets the pace. A reader that is slower than its stream holds back
that stream alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from constraintlab.limits import blend
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.readers import flow
from constraintlab.limits.resource import Resource
from constraintlab.limits.stack import Stack, Station
from constraintlab.limits.work import Kernel, Work


@dataclass(frozen=True)
class Cost:
    """Seconds of a step that one part spends on one resource: `fixed`, and `each` per sequence.

    `cores` is how many cores it keeps busy meanwhile. hides: whose cost takes the place of this one
    in some steps, where the cost is negative: what is not paid there.
    """

    part: str
    resource: Resource
    fixed: float
    each: float
    cores: float = 1.0
    hides: Resource | None = None

    def at(self, n: float) -> float:
        """Seconds of a step with n sequences."""
        return self.fixed + self.each * n


@dataclass(frozen=True)
class Pace:
    """How fast one part of the pipeline could go alone, in tokens/s, and what it is made of.

    fixed, each: its seconds for a token of one stream, and for every token. batch: sequences
    in a step; client: the readers' share of x; room: by what share of a percent x would grow per
    percent of the places, 1 where requests wait for one, if steps cost nothing.
    """

    name: str
    x: float
    costs: tuple[Cost, ...]
    resource: Resource | None = None
    fixed: float = 0.0
    each: float = 0.0
    batch: float = math.inf
    client: float = 0.0
    room: float = 0.0


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


def step_costs(stack: Stack, caps: Capacities, batch: float | None = None) -> tuple[Cost, ...]:
    """Every cost of one engine step with `batch` sequences (all that are resident), in order."""
    n = stack.resident if batch is None else batch
    kernels = [c for k in stack.kernels if not k.often for c in kernel_costs(k, caps, n)]
    kernels += [c for k in stack.kernels if k.often for c in _some_steps(k, stack, caps, n)]
    host = [Cost(s.name, Resource.HOST, s.fixed, s.each) for s in stack.host]
    return (*kernels, *host)


def _some_steps(kernel: Kernel, stack: Stack, caps: Capacities, n: float) -> Iterator[Cost]:
    """What the usual kernel costs with this one's work added, less what it costs without, in the
    steps that have it. How many those are grows with n, so all of it is of each sequence.
    """
    brought = sum(k.often for k in stack.kernels if k.onto == kernel.onto)
    for usual in (k for k in stack.kernels if k.name == kernel.onto and n):
        if math.isinf(n):
            often, work = kernel.often / brought, usual.each + kernel.fixed * brought
            both = replace(usual, each=work, fixed=Work())
        else:
            meet = max(1.0, n * brought)
            often = kernel.often / meet
            both = replace(usual, fixed=usual.fixed + kernel.fixed * meet)

        def spent(c: Cost, often: float = often) -> float:
            return often * (c.each if math.isinf(n) else c.at(n))

        costs = list(kernel_costs(replace(both, name=kernel.name), caps, n))
        for c in costs:
            yield replace(c, fixed=0.0, each=spent(c))
        for c in kernel_costs(usual, caps, n):
            yield replace(c, fixed=0.0, each=-spent(c), hides=max(costs, key=spent).resource)


def _pace(name: str, costs: tuple[Cost, ...], stack: Stack, batch: float, lanes: float = 1) -> Pace:
    """Tokens/s of `costs` paid once a step by a batch, `lanes` of them side by side."""
    share = stack.tokens * lanes
    fixed, each = (sum(getattr(c, k) for c in costs) / share for k in ("fixed", "each"))
    seconds = each if math.isinf(batch) else fixed / batch + each
    return Pace(name, 1 / seconds if seconds else math.inf, costs, None, fixed, each, batch)


def _station(name: str, resource: Resource, seconds: float, costs: tuple[Cost, ...] = ()) -> Pace:
    return Pace(name, 1 / seconds if seconds else math.inf, costs, resource, each=seconds)


def _spent(station: Station, tokens: float) -> tuple[Cost, ...]:
    """A station's core-seconds in a step, by stage where they are known."""
    stages = station.stages or ((station.name, station.cores),)
    return tuple(Cost(name, station.resource, 0.0, s * tokens) for name, s in stages)


def paces(stack: Stack, caps: Capacities, batch: float | None = None) -> tuple[Pace, ...]:
    """Each part of the pipeline by itself: the engine, the stations, the cores, the load."""
    n = stack.resident if batch is None else batch
    engine = step_costs(stack, caps, n)
    parts = [_pace("engine", engine, stack, n)]
    parts += [
        _station(s.name, s.resource, s.seconds, _spent(s, 1.0) if s.stages else ())
        for s in stack.stations
    ]
    if stack.shared_cores and any(s.cores for s in stack.stations):
        spent = [replace(c, fixed=c.fixed * c.cores, each=c.each * c.cores) for c in engine]
        spent += [c for s in stack.stations for c in _spent(s, stack.tokens)]
        parts.append(_pace("cores", tuple(spent), stack, n, lanes=stack.shared_cores))
    gap = 1 / stack.offered if stack.offered else math.inf
    parts.append(_station("offered load", Resource.DEMAND, gap))
    return tuple(parts)


def slowest(stack: Stack, caps: Capacities) -> Pace:
    """The part that sets X; the engine first when two are equal."""
    n, room = stack.resident, float(stack.cap is not None)
    if stack.answers and stack.answers.slow and math.isfinite(n) and stack.offered:
        return _answering(stack, caps)
    if not stack.readers or math.isinf(n) or not stack.offered:
        return replace(min(paces(stack, caps), key=lambda p: p.x), room=room)
    batch, speed = n, math.inf
    while True:
        # Which side of a kernel binds depends on the batch, and the batch on who keeps up. Costs
        # are convex in the speed, so each round comes closer from above and soon nothing changes.
        flows = [(flow(stack.readers, n, p.fixed, p.each), p) for p in paces(stack, caps, batch)]
        found, part = min(flows, key=lambda f: f[0].speed)
        if math.isinf(found.speed) or math.isclose(found.speed, speed, rel_tol=1e-12):
            return replace(part, x=found.x, batch=batch, client=found.client(part.fixed), room=room)
        batch, speed = found.batch, found.speed


def _answering(stack: Stack, caps: Capacities) -> Pace:
    """The same with readers that lag behind: the speed of a stream that keeps up at which the
    slowest part has nothing left, found by false position: what is spent grows with the speed."""

    def at(speed: float) -> tuple[float, Pace, float]:
        x = answered(stack, stack.tokens / speed)
        parts = paces(stack, caps, x / speed)
        spent, part = max(
            ((speed * p.fixed + x * p.each, p) for p in parts), key=lambda found: found[0]
        )
        return spent, part, x

    low = min(p.x for p in paces(stack, caps)) / stack.resident
    spent, part, x = at(low)
    down, high, up, most = math.log(spent), low, -1.0, low * 1e12
    while up < 0 and high < most:
        high *= 2
        spent, part, x = at(high)
        up = math.log(spent)
        if up < 0:
            low, down = high, up
    if up < 0:
        return replace(part, x=x, batch=0.0, client=1.0)
    low, high, speed = math.log(low), math.log(high), high
    for _ in range(80):
        middle = low + (high - low) * (down / (down - up) if down < 0 else 0.0)
        speed = math.exp(middle)
        spent, part, x = at(speed)
        if abs(spent - 1) < 1e-10 or high - low < 1e-12:
            break
        if spent < 1:
            low, down, up = middle, math.log(spent), up / 2
        else:
            high, up, down = middle, math.log(spent), down / 2
    readers, room = _bends(stack, stack.tokens / speed, x)
    rest = part.each * (1 - readers) * x / speed
    paid = part.fixed / (part.fixed + rest) if part.fixed else 0.0
    return replace(part, x=x, batch=x / speed, client=readers * paid, room=room)


def answered(stack: Stack, step: float) -> float:
    """Tokens/s where a step takes so many seconds, whoever makes them."""
    return stack.answers.x(step, stack.room.places, stack.population, stack.room.pool)


LESS = 0.8
"""Slopes along a bend are over a cut of a fifth, as elasticities are: a reader's window makes steps
in it, and the slope at a point is flat on a step and steep between two."""


def _bends(stack: Stack, step: float, x: float) -> tuple[float, float]:
    """By what share of a percent `answered` falls per percent of the readers' rates, and of the
    places, in steps of that length."""
    places, users, pool = stack.room.places, stack.population, stack.room.pool
    slower = stack.answers.faster(LESS).x(step, places, users, pool)
    narrower = stack.answers.x(step, places * LESS, users, pool)
    return tuple(
        min(1.0, max(0.0, math.log(less / x) / math.log(LESS))) for less in (slower, narrower)
    )


def alone(stack: Stack, caps: Capacities) -> tuple[Pace, ...]:
    """Each part as if there were no other: the engine with its readers, the stations, the load."""
    free = tuple(replace(s, seconds=0.0) for s in stack.stations)
    engine = slowest(replace(stack, stations=free, offered=math.inf), caps)
    return (engine, *paces(stack, caps)[1 : 1 + len(free)], paces(stack, caps)[-1])


def sharpened(stack: Stack, caps: Capacities, x: float) -> Stack:
    """The stack with the sharpness at which its parts make the x that was measured."""
    return replace(stack, sharpness=blend.sharpness([p.x for p in alone(stack, caps)], x))


def throughput(stack: Stack, caps: Capacities) -> float:
    """X in tokens/s."""
    if math.isinf(stack.sharpness):
        return slowest(stack, caps).x
    return blend.together([p.x for p in alone(stack, caps)], stack.sharpness)
