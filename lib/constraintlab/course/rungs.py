"""A rung of the attention ladder as a stack, and how naive attention grows with the prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from constraintlab.attention import naive
from constraintlab.attention.rung import Shape
from constraintlab.course import memory
from constraintlab.course.measure import interleave
from constraintlab.course.peaks import peaks
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
    """Naive attention at each length, counted and observed; the best time of many, or of three.

    Short calls are repeated for half a second: a browser that draws the page beside them takes
    a core for longer than three of them last.
    """
    found = []
    for s, peak in zip(lengths, peaks(shape, lengths), strict=True):
        at = shape.at(s)
        inputs = at.inputs()

        def call(inputs=inputs):
            naive.attend(*inputs)

        rounds = interleave({"": call}, rounds=200, budget=0.5, wait=wait)
        work = naive.work(at)
        found.append(
            Growth(
                s, work.bytes, naive.peak_bytes(at), peak,
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


def affordable(shape: Shape, available: float) -> Shape:
    """`shape`, its prompt halved until textbook and workspace runs fit into `available` bytes.

    Together they hold four and a half score matrices at most; a quarter is left to the rest.
    """
    while shape.queries > 512 and 4.5 * shape.score_bytes > 0.75 * available:
        shape = shape.at(shape.queries // 2)
    return shape


def grows_quadratically(grown: Sequence[Growth]) -> bool:
    """Whether counted bytes at least triple with the last doubling, and memory seen at the longest
    prompt is within a quarter of what was counted. Time is shown and not held to anything: a
    neighbour on the same cores stalls a short call for as long as a long one takes.
    """
    before, after = grown[-2:]
    return (
        after.traffic >= 3 * before.traffic
        and after.peak_counted >= 3 * before.peak_counted
        and abs(after.peak - after.peak_counted) < after.peak_counted / 4
    )
