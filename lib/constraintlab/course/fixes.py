"""Lab 01's race: a good fix to a resource that does not bind, and one to the resource that may."""

from __future__ import annotations

from collections.abc import Callable

import torch

from constraintlab.attention import naive, workspace
from constraintlab.attention.rung import Shape
from constraintlab.attention.workspace import Workspace
from constraintlab.course.measure import interleave
from constraintlab.limits.catalogue import more
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.fixes import Fix
from constraintlab.limits.resource import Resource


def without_grad(tensors) -> None:
    """Textbook attention as `inference_mode` has it: nothing is recorded for a backward pass."""
    with torch.inference_mode():
        naive.attend(*tensors)


def strength(shape: Shape, wait: Callable, rounds: int = 9) -> Estimate:
    """What no autograd gains on a prompt of 16 tokens, where the host binds, with its quartiles."""
    small = [t.requires_grad_() for t in shape.at(16).inputs()]

    def many(call):
        return lambda: [call(small) for _ in range(100)] and None

    calls = {"plain": many(lambda t: naive.attend(*t)), "bare": many(without_grad)}
    return interleave(calls, rounds=rounds, wait=wait).gain("bare", over="plain")


def no_autograd(gain: Estimate) -> Fix:
    """As much more host as `strength` saw it save, and never less of it."""
    least = (max(1.0, x) for x in (gain.value, gain.low, gain.high))
    return more(Resource.HOST, Estimate(*least, "×"), "no autograd")


def race_fixes(shape: Shape, kept: Workspace, wait: Callable, rounds: int) -> dict[str, Estimate]:
    """Gains of no autograd (less host work) and of a workspace (no fresh memory), with quartiles.

    The baseline takes inputs that ask for gradients, as code that forgot `inference_mode` does.
    """
    inputs = [t.requires_grad_() for t in shape.inputs()]
    bare = [t.detach() for t in inputs]
    raced = interleave(
        {
            "plain": lambda: naive.attend(*inputs),
            "no autograd": lambda: without_grad(inputs),
            "workspace": lambda: workspace.attend(*bare, workspace=kept),
        },
        rounds=rounds, wait=wait,
    )  # fmt: skip
    return {name: raced.gain(name, over="plain") for name in ("no autograd", "workspace")}
