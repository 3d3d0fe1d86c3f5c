"""`Stack`: a serving stack as its demands on resources, at one working point."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from constraintlab.limits.answers import Answers
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.readers import Readers
from constraintlab.limits.recompute import redone
from constraintlab.limits.resource import Resource
from constraintlab.limits.room import Room
from constraintlab.limits.work import Kernel


@dataclass(frozen=True)
class HostStage:
    """Host time inside the engine's loop, in core-seconds: per step, and per sequence."""

    name: str
    each: float = 0.0
    fixed: float = 0.0


@dataclass(frozen=True)
class Station:
    """A station beside the engine: `seconds` of it per token, of which `cores` core-seconds.

    `resource` is HOST (a front end process), NETWORK (bytes on the wire ÷ the link's rate)
    or CLIENT (a load client that is a bottleneck itself). stages: (name, core-seconds a token)
    of what its time is spent on. `stations.py` makes them.
    """

    name: str
    resource: Resource
    seconds: float
    cores: float = 0.0
    stages: tuple[tuple[str, float], ...] = ()

    def faster(self, factor: float) -> Station:
        """The same with `factor` times the capacity."""
        stages = tuple((name, seconds / factor) for name, seconds in self.stages)
        return replace(
            self, seconds=self.seconds / factor, cores=self.cores / factor, stages=stages
        )


@dataclass(frozen=True)
class Stack:
    """What one step costs and how many sequences may share it.

    kernels, host: the engine's step. stations: what tokens pass through afterwards, side by
    side with the engine. readers: those whose rate is known; the others keep up. tokens:
    output tokens that one sequence yields per step (labs 00–03: query tokens attended).
    population: sequences resident or waiting; infinite when a queue never empties. slots,
    kv_room: the most sequences that may be resident. kv_spread: how far the pool's room varies
    with who is resident, as a standard deviation ÷ kv_room. offered: tokens/s that arrive.
    answers: requests whose readers may lag behind; takes the place of readers, which lag nowhere.
    sharpness: of the bend where two parts are equally fast, see `blend.py`.
    shared_cores: on a CPU every part spends the same cores; None when the
    kernels run on a device of their own.
    """

    kernels: tuple[Kernel, ...]
    host: tuple[HostStage, ...] = ()
    stations: tuple[Station, ...] = ()
    readers: tuple[Readers, ...] = ()
    tokens: float = 1.0
    population: float = 1.0
    slots: float = math.inf
    kv_room: float = math.inf
    kv_spread: float = 0.0
    offered: float = math.inf
    shared_cores: float | None = None
    answers: Answers | None = None
    sharpness: float = math.inf

    def __post_init__(self) -> None:
        if self.readers and self.answers:
            raise ValueError("give readers= or answers=, not both")
        shares = sum(r.share for r in self.readers)
        if shares > 1 + 1e-9:
            raise ValueError(f"the readers are {shares:.0%} of the streams: their shares add to 1")

    @property
    def resident(self) -> float:
        """n: sequences that share a step."""
        return min(self.room.places, self.population)

    @property
    def room(self) -> Room:
        """What slots and pool leave."""
        return Room(self.slots, self.kv_room, self.kv_spread)

    @property
    def cap(self) -> Resource | None:
        """What keeps waiting sequences out: KV_CAPACITY, SLOTS, or None when nothing waits."""
        if self.population <= self.room.places:
            return None
        return Resource.KV_CAPACITY if self.room.pool >= 0.5 else Resource.SLOTS

    @property
    def keeps_out(self) -> Mapping[Resource, float]:
        """Which part of the room each limit is, by how much the places grow with it."""
        pool = self.room.pool
        parts = {Resource.KV_CAPACITY: pool, Resource.SLOTS: 1 - pool}
        return {resource: part for resource, part in parts.items() if part}


def kv_room(pool_tokens: float, residences: Iterable[tuple[float, float]]) -> float:
    """N_kv = C · E[T] / E[∫held dt]: sequences that a pool of C tokens holds.

    `residences`: for each request its residence time T in seconds (prefill and stalls
    included) and its integral of held KV tokens over that time, in token-seconds; a
    contiguous store holds its whole reservation. Long requests count for as long as they
    stay, so this is never C over a mean length.
    """
    seconds, held = (sum(column) for column in zip(*residences, strict=True))
    if held <= 0:
        raise ValueError("no KV was held: give at least one residence with token-seconds > 0")
    return pool_tokens * seconds / held


def scale(
    stack: Stack, caps: Capacities, resource: Resource, factor: float
) -> tuple[Stack, Capacities]:
    """The same stack and machine with one capacity times `factor`; infinity removes the limit."""
    match resource:
        case Resource.COMPUTE | Resource.BANDWIDTH | Resource.PAGES:
            return stack, caps.scaled(**{resource.value: factor})
        case Resource.KV_CAPACITY:
            return _with(stack, kv_room=stack.kv_room * factor), caps
        case Resource.SLOTS:
            return _with(stack, slots=stack.slots * factor), caps
        case Resource.DEMAND:
            grown = replace(stack, offered=stack.offered * factor)
            return grown, caps
        case Resource.HOST:
            stages = tuple(HostStage(s.name, s.each / factor, s.fixed / factor) for s in stack.host)
            stack = replace(stack, host=stages)
    if resource is Resource.CLIENT:
        faster = tuple(Readers(r.share, r.rate * factor) for r in stack.readers)
        answers = stack.answers and stack.answers.faster(factor)
        stack = replace(stack, readers=faster, answers=answers)
    stations = tuple(s.faster(factor) if s.resource is resource else s for s in stack.stations)
    return replace(stack, stations=stations), caps


def _with(stack: Stack, **room: float) -> Stack:
    """The stack with another room, in which preemptions have more or less computed again."""
    changed = replace(stack, **room)
    return replace(changed, kernels=redone(stack.kernels, stack.room, changed.room))
