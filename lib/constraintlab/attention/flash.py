"""The flash rung: tiles and an online softmax, so that on-chip space bounds nothing."""

from __future__ import annotations

import torch

from constraintlab.attention import flash_library, flash_sdpa
from constraintlab.attention.backends import AUTO, Backend, Choice, choose
from constraintlab.attention.flash_cpu import BLOCK, HEADS, TILE
from constraintlab.attention.flash_cpu import attend as _on_cpu
from constraintlab.attention.fused import tiled_kernels
from constraintlab.attention.rung import (
    Availability,
    Shape,
    availability_of,
    check,
    cpu_only,
    cuda_only,
    total,
)
from constraintlab.limits.work import Kernel, Work


def _on_gpu(*args, **options) -> torch.Tensor:
    from constraintlab.attention.flash_triton import attend as on_gpu

    return on_gpu(*args, **options)


BACKENDS = (
    Backend("flash-attn", flash_library.lacks, flash_library.attend),
    Backend("sdpa", flash_sdpa.lacks, flash_sdpa.attend),
    Backend("triton", cuda_only, _on_gpu, own=True),
    Backend("cpu", cpu_only, _on_cpu, own=True),
)
"""In order of preference: the libraries, which experts tuned, then ours, which can be read."""


def attend(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    *,
    causal: bool = True,
    scale: float | None = None,
    backend: str = AUTO,
) -> torch.Tensor:
    """softmax(q·kᵀ·scale + mask)·v by tiles of keys, with a running maximum and sum a row.

    Shapes, mask, errors and result as in `naive.attend`. backend: `flash-attn`, `sdpa`,
    `triton`, `cpu`, or `own` for ours on this device; `choice` tells what `auto` takes and why.
    """
    check(q, k, v)
    chosen = choose(BACKENDS, Shape.of(q, k, causal), backend).backend
    return chosen.call(q, k, v, causal=causal, scale=scale)


def choice(shape: Shape, backend: str = AUTO) -> Choice:
    """Which backend runs `shape`, and why the others don't."""
    return choose(BACKENDS, shape, backend)


def kernels(shape: Shape) -> tuple[Kernel, ...]:
    """The work of one call, as the fused rung's with this rung's blocks."""
    return tiled_kernels(shape, BLOCK)


def work(shape: Shape) -> Work:
    """FLOPs of the two products over the scores computed, bytes to and from memory."""
    return total(kernels(shape))


def peak_bytes(shape: Shape) -> int:
    """Memory beyond the inputs: one tile (of our CPU version, also in fp32), and the output."""
    item, heads = shape.dtype.itemsize, min(HEADS, shape.batch * shape.heads)
    out = shape.batch * shape.heads * shape.queries * shape.dim * item
    tile = heads * BLOCK * min(TILE, shape.keys) * (item if item == 4 else item + 4)
    return out + (tile if shape.device == "cpu" else 0)


def availability(device: str = "cpu") -> Availability:
    """Whether a backend runs on `device`, which, and why the others don't."""
    return availability_of(BACKENDS, device)
