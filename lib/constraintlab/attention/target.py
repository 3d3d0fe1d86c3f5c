"""A Triton kernel as its compiler sees it: what an x-ray needs to compile it without a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Target:
    """One specialisation of a `@triton.jit` function.

    signature: Triton's type for each argument that is no constexpr (`*fp16`, `*i32`, `i32`,
    `fp32`), in the function's order. constexprs: values of the `tl.constexpr` arguments.
    divisible: arguments known to be multiples of 16, as Triton specialises pointers and most
    strides at run time. warps, stages: as the launch asks for them.
    """

    kernel: object
    signature: Mapping[str, str]
    constexprs: Mapping[str, object]
    divisible: tuple[str, ...] = ()
    warps: int = 4
    stages: int = 2
    notes: Mapping[str, str] = field(default_factory=dict)
