"""A rung of the attention ladder as a stack, and how naive attention grows with the prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from constraintlab.attention import naive
from constraintlab.attention.rung import Shape
from constraintlab.course import memory
from constraintlab.course.measure import interleave
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.resource import Resource
from constraintlab.limits.stack import HostStage, Stack
from constraintlab.limits.work import Kernel

DISPATCHES = 16
"""torch operations in one call of a naive rung, views included."""


def rung_stack(kernels: Sequence[Kernel], shape: Shape, caps: Capacities) -> Stack:
    """One caller that attends `shape` again and again: the kernels, then their dispatch."""
    each = 0.0 if caps.host_op.missing else caps.host_op.value
    return Stack(
        tuple(kernels),
        host=(HostStage("dispatch", fixed=DISPATCHES * each),),
        tokens=shape.tokens,
        shared_cores=caps.cores if shape.device == "cpu" else None,
    )


@dataclass(frozen=True)
class Growth:
    """Naive attention at one length: counted bytes, observed bytes, seconds of the best call."""

    tokens: int
    traffic: float
    peak_counted: int
    peak: int
    fresh_counted: float
    fresh: int | None
    seconds: float


def growth(shape: Shape, lengths: Sequence[int], wait: Callable[[], object]) -> list[Growth]:
    """Naive attention at each length, counted and observed; the best time of three."""
    found = []
    for s in lengths:
        at = shape.at(s)
        inputs = at.inputs()

        def call(inputs=inputs):
            naive.attend(*inputs)

        rounds = interleave({"": call}, rounds=3, wait=wait)
        work = naive.work(at)
        found.append(
            Growth(
                s, work.bytes, naive.peak_bytes(at), memory.peak(call, shape.device),
                work.fresh, memory.faulted(call), min(rounds.seconds[""]),
            )
        )  # fmt: skip
    return found


def spent(stack: Stack, caps: Capacities) -> dict[Resource, float]:
    """Seconds of one step by resource, as the model has it."""
    from constraintlab.limits.compose import step_costs

    seconds: dict[Resource, float] = {}
    for cost in step_costs(stack, caps):
        seconds[cost.resource] = seconds.get(cost.resource, 0.0) + cost.at(stack.resident)
    return seconds


def fitting_length(
    kernels: Callable[[Shape], Sequence[Kernel]],
    shape: Shape,
    caps: Capacities,
    seconds: float,
    lengths: Sequence[int] = (256, 512, 1024, 2048, 4096),
) -> Shape:
    """`shape` at the longest of `lengths` that the model says one call finishes in `seconds`.

    So that an emulated dtype, hundreds of times slower, gets a prompt that a person waits for.
    """
    fits = lengths[0]
    for s in sorted(lengths):
        if s > shape.queries:
            break
        at = shape.at(s)
        predicted = sum(spent(rung_stack(kernels(at), at, caps), caps).values())
        if predicted <= seconds:
            fits = s
    return shape.at(fits)


def grows_quadratically(grown: Sequence[Growth]) -> bool:
    """Whether traffic and peak memory at least triple, and time doubles, over the last doubling."""
    before, after = grown[-2:]
    return (
        after.traffic >= 3 * before.traffic
        and after.peak >= 3 * before.peak
        and after.seconds >= 2 * before.seconds
    )
