"""The fused rung: whole score rows stay on chip, so nothing S×S is ever in memory."""

from __future__ import annotations

import torch

from constraintlab.attention.backends import AUTO, Backend, Choice, choose
from constraintlab.attention.cpu_blocks import Cut, converted_bytes, products_in
from constraintlab.attention.fused_cpu import HEADS, block_of
from constraintlab.attention.fused_cpu import attend as _on_cpu
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
    from constraintlab.attention.fused_triton import attend as on_gpu

    return on_gpu(*args, **options)


def _too_long(shape: Shape) -> str:
    """Whether a GPU's block can't hold one block of queries' rows of scores."""
    missing = cuda_only(shape)
    if missing:
        return missing
    from constraintlab.attention.fused_triton import longest

    most = longest(shape.dim, shape.dtype)
    return "" if shape.keys <= most else f"{shape.keys} keys: at most {most} fit on chip, use flash"


BACKENDS = (
    Backend("triton", _too_long, _on_gpu, own=True),
    Backend("cpu", cpu_only, _on_cpu, own=True),
)


def attend(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    *,
    causal: bool = True,
    scale: float | None = None,
    backend: str = AUTO,
) -> torch.Tensor:
    """softmax(q·kᵀ·scale + mask)·v with a block of queries' whole score rows kept on chip.

    Shapes, mask, errors and result as in `naive.attend`. backend: `triton`, `cpu`, or `own`
    for the one of this device. On chip is cache on a CPU, shared memory and registers on a GPU,
    and its size bounds how long a prompt may be: see `fused_cpu.block_of` and
    `fused_triton.longest`.
    """
    check(q, k, v)
    chosen = choose(BACKENDS, Shape.of(q, k, causal), backend).backend
    return chosen.call(q, k, v, causal=causal, scale=scale)


def choice(shape: Shape, backend: str = AUTO) -> Choice:
    """Which backend runs `shape`, and why the others don't."""
    return choose(BACKENDS, shape, backend)


GPU = Cut(16, skips=False)
"""The Triton kernel's: `fused_triton.tile_for`. Its rows are whole whatever the mask hides."""


def cut(shape: Shape) -> Cut:
    """How the backend of this device cuts `shape`: few rows on a GPU, many in a CPU's cache."""
    if shape.device != "cpu":
        return GPU
    return Cut(block_of(shape.keys, products_in(shape.dtype).itemsize))


def kernels(shape: Shape) -> tuple[Kernel, ...]:
    """The work of one call: both products, and one exponential a score.

    On a CPU keys right of a block's last query are skipped. q and the output pass by once, k and
    v once for each block of queries (from a GPU's L2 cache, mostly); scores never leave the chip.
    """
    return tiled_kernels(shape, cut(shape))


def tiled_kernels(shape: Shape, cut: Cut) -> tuple[Kernel, ...]:
    """Work of attention that is cut as `cut` says."""
    heads, item = shape.batch * shape.heads, shape.dtype.itemsize
    queries, keys = shape.queries, shape.keys
    scores = cut.scores(queries, keys, shape.causal)
    sweeps = scores / queries / keys * -(-queries // cut.block)
    q_out = 2 * heads * queries * shape.dim * item
    kv = 2 * shape.batch * shape.kv_heads * keys * shape.dim * item
    return (
        Kernel(
            "products",
            Work(4.0 * heads * scores * shape.dim, q_out + kv * max(1.0, sweeps)),
            unit=shape.unit,
        ),
        Kernel("softmax", Work(heads * scores), unit="exp"),
    )


def work(shape: Shape) -> Work:
    """FLOPs of the two products over the scores computed, bytes to and from memory."""
    return total(kernels(shape))


def peak_bytes(shape: Shape) -> int:
    """Memory beyond the inputs: the output; on a CPU one block of score rows and its mask too."""
    heads = shape.batch * shape.heads
    out = heads * shape.queries * shape.dim * shape.dtype.itemsize
    if shape.device != "cpu":
        return out
    item, block = products_in(shape.dtype).itemsize, cut(shape).block
    strip = (min(HEADS, heads) * block * shape.keys + block * block) * item
    return out + strip + converted_bytes(shape, HEADS)


def availability(device: str = "cpu") -> Availability:
    """Whether a backend runs on `device`, which, and why the others don't."""
    return availability_of(BACKENDS, device)
