"""Lab 02's tables and race: what fusing saves, and a decoy that saves bytes where none bind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType

import torch

from constraintlab.attention import fused, naive
from constraintlab.attention.rung import Shape
from constraintlab.course.measure import Rounds, interleave
from constraintlab.course.show import Table, si
from constraintlab.limits.estimate import Estimate


def extra(rung: ModuleType, shape: Shape) -> int:
    """Counted bytes that a rung holds beyond inputs and output, at its fullest moment."""
    heads, item = shape.batch * shape.heads, shape.dtype.itemsize
    return rung.peak_bytes(shape) - heads * shape.queries * shape.dim * item


def table(
    shape: Shape, rungs: Mapping[str, ModuleType], rounds: Rounds, peaks: Mapping[str, int]
) -> Table:
    """Counted FLOPs, traffic and extra memory of each rung beside its time and memory seen."""
    rows = [
        (
            name, si(rung.work(shape).flops, "FLOP"), si(rung.work(shape).bytes, "B"),
            si(extra(rung, shape), "B"), si(peaks[name], "B"), si(rounds.median(name), "s"),
        )
        for name, rung in rungs.items()
    ]  # fmt: skip
    heads = ("rung", "FLOP, counted", "traffic, counted", "extra memory, counted",
             "new memory, seen", "one call")  # fmt: skip
    return Table(heads, rows, "Seen: what resident memory grew by; a kept workspace is not new.")


def race_decoy(shape: Shape, wait: Callable, rounds: int) -> dict[str, Estimate]:
    """Gains with quartiles: of the fix over textbook, and of a fix to bandwidth on top of it."""
    q, k, v = shape.inputs()
    short = [t.to(torch.bfloat16) for t in (k, v)]
    seen = interleave(
        {
            "textbook": lambda: naive.attend(q, k, v),
            "fused": lambda: fused.attend(q, k, v),
            "k, v in 16 bits": lambda: fused.attend(q, *(t.to(q.dtype) for t in short)),
        },
        rounds=rounds, wait=wait,
    )  # fmt: skip
    return {
        "fused": seen.gain("fused", over="textbook"),
        "k, v in 16 bits": seen.gain("k, v in 16 bits", over="fused"),
    }
