"""Lab 01's race: a good fix to a resource that does not bind, and one to the resource that may."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from constraintlab.attention import naive, workspace
from constraintlab.attention.rung import Shape
from constraintlab.attention.workspace import Workspace
from constraintlab.course.measure import interleave
from constraintlab.course.rungs import rung_stack
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.catalogue import counted, more
from constraintlab.limits.diagnose import diagnose
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource
from constraintlab.limits.whatif import whatif


@dataclass(frozen=True)
class Fixes:
    """Gains of lab 01's two fixes: predicted, measured, and the decoy's gain on a tiny prompt."""

    predicted: dict[str, float]
    gain: dict[str, Estimate]
    tiny: Estimate

    @property
    def note(self) -> str:
        return (
            f"On a prompt of 16 tokens, where the host binds, no autograd is worth "
            f"×{self.tiny.value:.2f}; here the host's share is next to nothing."
        )


def race_fixes(
    shape: Shape, kept: Workspace, caps: Capacities, wait: Callable, rounds: int
) -> Fixes:
    """No autograd (less host work) against a workspace (no fresh memory), predicted and measured.

    The baseline takes inputs that ask for gradients, as code that forgot `inference_mode` does.

    The host fix's strength is measured first, on a prompt of 16 tokens, where it does help.
    """
    small = [t.requires_grad_() for t in shape.at(16).inputs()]
    inputs = [t.requires_grad_() for t in shape.inputs()]
    bare = [t.detach() for t in inputs]

    def without_grad(tensors):
        with torch.inference_mode():
            naive.attend(*tensors)

    def many(call, tensors):
        return lambda: [call(tensors) for _ in range(100)] and None

    tiny = interleave(
        {"plain": many(lambda t: naive.attend(*t), small), "bare": many(without_grad, small)},
        rounds=9, wait=wait,
    ).gain("bare", over="plain")  # fmt: skip
    raced = interleave(
        {
            "plain": lambda: naive.attend(*inputs),
            "no autograd": lambda: without_grad(inputs),
            "workspace": lambda: workspace.attend(*bare, workspace=kept),
        },
        rounds=rounds, wait=wait,
    )  # fmt: skip
    now = diagnose(rung_stack(naive.kernels(shape), shape, caps), caps)
    fixes = (
        more(Resource.HOST, max(1.0, tiny.value), "no autograd"),
        counted("workspace", rung_stack(workspace.kernels(shape), shape, caps)),
    )
    return Fixes(
        {f.name: whatif(now, f).gain.value for f in fixes},
        {f.name: raced.gain(f.name, over="plain") for f in fixes},
        tiny,
    )
