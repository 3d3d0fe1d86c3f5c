"""Lab 00's workload: an optimiser's update y += v·a/b over more numbers than any cache holds.

Three ways to write it. They keep every core (or the GPU) busy all the time and move the same
result; they differ in how many bytes pass by, and in how dear the arithmetic is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from constraintlab.attention.rung import total
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.probes.memory import last_level_cache
from constraintlab.limits.stack import HostStage, Stack
from constraintlab.limits.work import Kernel, Work

SCALE = -1e-6


@dataclass(frozen=True)
class Arrays:
    """y, a, b, 1/b and a scratch buffer, n numbers each in fp32."""

    y: torch.Tensor
    a: torch.Tensor
    b: torch.Tensor
    reciprocal: torch.Tensor
    scratch: torch.Tensor

    @classmethod
    def make(cls, n: int, device: str = "cpu", seed: int = 0) -> Arrays:
        g = torch.Generator().manual_seed(seed)
        a, b = (torch.rand(n, generator=g).add_(0.5).to(device) for _ in range(2))
        return cls(torch.zeros_like(a), a, b, 1 / b, torch.zeros_like(a))

    @property
    def nbytes(self) -> int:
        """Bytes of one array."""
        return self.y.nbytes


def length(least: int, available: int, cache: int | None = None) -> int:
    """Numbers per array: `least`, more where the cache is large, less where memory is short.

    Three arrays pass by in a sweep, so each is at least the last-level cache; the five of
    them take a quarter of the `available` bytes at most.
    """
    beyond = (last_level_cache() if cache is None else cache) // 4
    return min(max(least, beyond), available // 4 // 5 // 4)


def three_passes(x: Arrays) -> None:
    """Divide, scale, add: three operations, each through memory."""
    torch.div(x.a, x.b, out=x.scratch)
    x.scratch.mul_(SCALE)
    x.y.add_(x.scratch)


def no_division(x: Arrays) -> None:
    """The same three passes with 1/b kept, so that the division is a multiplication."""
    torch.mul(x.a, x.reciprocal, out=x.scratch)
    x.scratch.mul_(SCALE)
    x.y.add_(x.scratch)


def one_pass(x: Arrays) -> None:
    """The same arithmetic fused: a, b and y are read once, y written once."""
    x.y.addcdiv_(x.a, x.b, value=SCALE)


_PASSES: dict[Callable, tuple[tuple[str, int], ...]] = {
    three_passes: (("divide", 3), ("scale", 2), ("add", 3)),
    no_division: (("multiply", 3), ("scale", 2), ("add", 3)),
    one_pass: (("fused update", 4),),
}


def kernels(variant: Callable, n: int) -> tuple[Kernel, ...]:
    """Counted work of one update of n numbers: 3 FLOPs a number, 4 bytes a number and stream."""
    passes = _PASSES[variant]
    return tuple(
        Kernel(name, Work(3 * n / len(passes), 4 * n * streams)) for name, streams in passes
    )


def work(variant: Callable, n: int) -> Work:
    """Everything that one update of n numbers asks for."""
    return total(kernels(variant, n))


def stack(variant: Callable, n: int, caps: Capacities) -> Stack:
    """One caller that updates n numbers again and again; throughput counts numbers."""
    each = 0.0 if caps.host_op.missing else caps.host_op.value
    dispatch = HostStage("dispatch", fixed=len(_PASSES[variant]) * each)
    return Stack(kernels(variant, n), host=(dispatch,), tokens=n)
