"""Push one resource at a time: extra demand beside a rung's call, of a kind that is known.

If a resource binds, a little more demand on it slows the call; where one does not bind, the
same push costs next to nothing. Each push adds about half of what naive attention asks of
that resource; products and passes go one head at a time, so that they need little memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from constraintlab.attention.rung import Shape
from constraintlab.attention.rung import fresh as fresh_bytes
from constraintlab.limits.resource import Resource
from constraintlab.limits.stack import HostStage
from constraintlab.limits.work import Kernel, Work


@dataclass(frozen=True)
class Push:
    """Extra demand on `resource`: `call()` makes it, `kernels` and `host` count it."""

    resource: Resource
    what: str
    call: Callable[[], object]
    kernels: tuple[Kernel, ...] = ()
    host: tuple[HostStage, ...] = ()


def pushes(shape: Shape, host_op: float = 0.0, dispatches: int = 0) -> tuple[Push, ...]:
    """One push for each resource that naive attention spends on this shape's device.

    host_op: seconds to dispatch one operation, as probed; dispatches: how many the rung makes.
    """
    q, k, _ = shape.inputs(seed=1)
    q, k = q[:1, :1], k[:1, :1]
    heads = shape.batch * shape.heads
    one = torch.zeros(1, 1, shape.queries, shape.keys, dtype=shape.dtype, device=shape.device)
    each, tiny = one.nbytes, torch.ones(1)

    def product():
        for _ in range(heads):
            torch.matmul(q, k.mT, out=one)

    def passes():
        for _ in range(2 * heads):
            one.mul_(1.0)

    def fresh():
        # Whole matrices: the allocator would keep a block of one head's size.
        for _ in range(2):
            torch.empty(heads, *one.shape[2:], dtype=one.dtype, device=one.device).fill_(0)

    def dispatch():
        for _ in range(dispatches // 2):
            tiny.add_(1)

    flops, whole = 2.0 * shape.scores * shape.dim, heads * each
    found = [
        Push(Resource.COMPUTE, "one product again", product,
             (Kernel("again", Work(flops, heads * each), unit=shape.unit),)),
        Push(Resource.BANDWIDTH, "two more passes over S×S", passes,
             (Kernel("passes", Work(0, 4 * heads * each)),)),
        Push(Resource.PAGES, "two more S×S in fresh memory", fresh,
             (Kernel("fresh", Work(0, 2 * whole, 2 * fresh_bytes(whole, shape.device))),)),
        Push(Resource.HOST, "half as many operations again", dispatch,
             host=(HostStage("again", fixed=dispatches // 2 * host_op),)),
    ]  # fmt: skip
    return tuple(p for p in found if p.resource is not Resource.PAGES or shape.device == "cpu")
