"""What the Triton rungs' hosts share: tiles, the scale as exp2 wants it, a kernel's description."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import torch
import triton

from constraintlab.attention.target import Target

TYPES = {torch.float16: "fp16", torch.bfloat16: "bf16", torch.float32: "fp32"}
"""Triton's name for each dtype that the kernels take."""

PRECISION = "ieee"
"""How tl.dot multiplies fp32: otherwise it means TF32, with 10 bits of mantissa, on NVIDIA."""


@dataclass(frozen=True)
class Tile:
    """How a kernel is cut: queries and keys of a tile, warps of a program, stages of its loop."""

    queries: int
    keys: int
    warps: int = 4
    stages: int = 1

    def __str__(self) -> str:
        return f"{self.queries}×{self.keys}, {self.warps} warps, {self.stages} stages"

    def but(self, **changes: int | None) -> Tile:
        """This tile with the changes that are not None."""
        return replace(self, **{name: n for name, n in changes.items() if n is not None})


def padded(n: int) -> int:
    """The power of two, at least 16, that holds `n`: what tl.arange and tl.dot take."""
    return max(16, triton.next_power_of_2(n))


def dtype_of(name: str | torch.dtype) -> torch.dtype:
    """The dtype of this name; TypeError for one that the kernels don't take."""
    dtype = getattr(torch, name, None) if isinstance(name, str) else name
    if dtype not in TYPES:
        raise TypeError(f"the Triton kernels don't take {name}: give float32, float16 or bfloat16")
    return dtype


def pick(tiles: Mapping[tuple[int, int], Tile], dtype: torch.dtype, dim: int) -> Tile:
    """The tile for `dim`, from a table by (bytes of a value, largest dim)."""
    for (size, largest), tile in tiles.items():
        if size == dtype_of(dtype).itemsize and dim <= largest:
            return tile
    most = max(largest for _, largest in tiles)
    raise ValueError(f"dim {dim} has no tile: use a dim up to {most}, or the naive rung")


def in_powers_of_two(q: torch.Tensor, scale: float | None) -> tuple[torch.Tensor, float]:
    """(q, scale · log₂e), for exp(x) = exp2(x · log₂e): exp2 is the GPU's own instruction.

    scale: 1/√D unless given. The kernels take a row's maximum before they scale, which needs
    a scale above 0: a negative one gives its sign to a copy of q, 0 becomes too small to matter.
    """
    scale = (1 / math.sqrt(q.shape[-1]) if scale is None else scale) * math.log2(math.e)
    if scale < 0:
        q, scale = -q, -scale
    return q, max(scale, 1e-30)


def on_device_of(tensor: torch.Tensor) -> AbstractContextManager:
    """Launch where the tensor lives: Triton launches on the current device, not its arguments'."""
    return torch.cuda.device_of(tensor)


def describe(
    kernel,
    dtype: str,
    tile: Tile,
    constexprs: Mapping[str, object],
    pointers: Mapping[str, str],
    notes: Mapping[str, str],
) -> Target:
    """The specialisation that a launch with contiguous inputs of `dtype` makes.

    pointers: types of the arguments `…_ptr` that don't point to `dtype`. Strides over a
    head's dim (`…_d`) are 1, and Triton makes an argument of 1 a constant; the other strides
    of q, k, v and out are multiples of 16.
    """
    ones = {name: 1 for name in kernel.arg_names if name.endswith("_d")}
    fixed = {**ones, **constexprs}
    types = {name: _type(name, TYPES[dtype_of(dtype)], pointers) for name in kernel.arg_names}
    tensors = ("q_", "k_", "v_", "out_")
    return Target(
        kernel,
        signature={name: type for name, type in types.items() if name not in fixed},
        constexprs=fixed,
        divisible=tuple(
            name
            for name in types
            if name not in fixed and (name.endswith("_ptr") or name.startswith(tensors))
        ),
        warps=tile.warps,
        stages=tile.stages,
        notes=notes,
    )


def _type(name: str, value: str, pointers: Mapping[str, str]) -> str:
    """Triton's type for the argument `name`, by how the kernels call their arguments."""
    if name.endswith("_ptr"):
        return pointers.get(name, f"*{value}")
    return "fp32" if name == "scale" else "i32"
