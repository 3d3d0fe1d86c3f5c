"""The flash rung: tiles and an online softmax, so that on-chip space bounds nothing."""

from __future__ import annotations

import torch

from constraintlab.attention import flash_library, flash_sdpa
from constraintlab.attention.backends import AUTO, OWN, Backend, Choice, choose
from constraintlab.attention.cpu_blocks import Cut, converted_bytes, products_in
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


GPU = Cut(128, 64)
"""About what the libraries take on a GPU: FlashAttention-2's tile for most heads and GPUs."""


def counted(shape: Shape, backend: str = AUTO) -> str:
    """The backend that is counted: the one asked for, else the one that would run `shape` here.

    A shape on a GPU that is not here is counted as flash-attn's, or with `own` as our Triton's.
    ValueError for a name that is unknown.
    """
    if backend == OWN:
        return "cpu" if shape.device == "cpu" else "triton"
    if backend == AUTO:
        return next((b.name for b in BACKENDS if not b.lacks(shape)), BACKENDS[0].name)
    if backend not in [b.name for b in BACKENDS]:
        choose(BACKENDS, shape, backend)  # says what there is
    return backend


def cut(shape: Shape, backend: str = AUTO) -> Cut:
    """The block and tile of the backend that is counted."""
    name = counted(shape, backend)
    if name == "cpu":
        return Cut(BLOCK)
    if name == "sdpa" and shape.device == "cpu":
        return flash_sdpa.cpu_cut(shape)
    if name == "triton":
        from constraintlab.attention.flash_triton import tile_for

        tile = tile_for(shape.dtype, shape.dim)
        return Cut(tile.queries, tile.keys)
    return GPU


def kernels(shape: Shape, backend: str = AUTO) -> tuple[Kernel, ...]:
    """The work of one call, as the fused rung's with this backend's blocks and tiles."""
    return tiled_kernels(shape, cut(shape, backend))


def work(shape: Shape, backend: str = AUTO) -> Work:
    """FLOPs of the two products over the scores computed, bytes to and from memory."""
    return total(kernels(shape, backend))


def peak_bytes(shape: Shape, backend: str = AUTO) -> int:
    """Memory beyond the inputs: the output, and what this backend holds beside it.

    Ours on a CPU: a tile (also in fp32), the rows' sum so far and a product. torch's on a CPU:
    see `flash_sdpa.cpu_scratch`. On a GPU tiles never leave the chip.
    """
    name, heads = counted(shape, backend), shape.batch * shape.heads
    out = heads * shape.queries * shape.dim * shape.dtype.itemsize
    if name == "triton":
        return out
    if name != "cpu":
        on_cpu = shape.device == "cpu"
        return out + (flash_sdpa.cpu_scratch if on_cpu else flash_sdpa.row_logs)(shape)
    item, rows = products_in(shape.dtype).itemsize, min(HEADS, heads) * min(BLOCK, shape.queries)
    tile = rows * min(TILE, shape.keys) * (item if item == 4 else item + 4)
    return out + tile + rows * shape.dim * (4 + item) + converted_bytes(shape, HEADS)


def availability(device: str = "cpu") -> Availability:
    """Whether a backend runs on `device`, which, and why the others don't."""
    return availability_of(BACKENDS, device)
