"""Flash attention in Triton: tiles of keys and an online softmax, so that S has no bound.

Read it as a diff from `fused_triton.py`: the keys come in tiles; a row's maximum and total are
corrected as each tile raises them. Sources: FlashAttention-2 (arXiv 2307.08691), and for the
online softmax Milakov and Gimelshein (arXiv 1805.02867).
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from constraintlab.attention import triton_launch as launch
from constraintlab.attention.rung import check
from constraintlab.attention.target import Target
from constraintlab.attention.triton_launch import Tile

LOWEST = tl.constexpr(-3.0e38)
"""Below any score, yet finite: −∞ − −∞, in a row that sees no key, would be NaN."""

TILES = {
    (2, 64): Tile(queries=128, keys=64, warps=8, stages=3),
    (2, 128): Tile(queries=128, keys=64, warps=8, stages=3),
    (2, 256): Tile(queries=64, keys=32, warps=8, stages=3),
    (4, 64): Tile(queries=64, keys=32, warps=8, stages=2),
    (4, 128): Tile(queries=32, keys=32, warps=8, stages=2),
    (4, 256): Tile(queries=16, keys=16, warps=4, stages=2),
}
"""By bytes of a value and largest dim. More queries in a tile share each key that is read; no
tile spills, or asks for more shared memory than an A100 has (x-ray it)."""


@triton.jit
def flash_kernel(
    q_ptr,
    k_ptr,
    v_ptr,
    out_ptr,
    q_b,
    q_h,
    q_t,
    q_d,
    k_b,
    k_h,
    k_t,
    k_d,
    v_b,
    v_h,
    v_t,
    v_d,
    out_b,
    out_h,
    out_t,
    out_d,
    groups,
    queries,
    keys,
    scale,
    CAUSAL: tl.constexpr,
    PRECISION: tl.constexpr,
    DIM: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
):
    """BLOCK_M queries of one head against its keys, BLOCK_N at a time."""
    # Last block first: under a causal mask it has the most to do, and short ones fill the end.
    first = (tl.num_programs(0) - 1 - tl.program_id(0)) * BLOCK_M
    # 64 bits: a batch of long prompts has more than 2³¹ values.
    head, batch = tl.program_id(1).to(tl.int64), tl.program_id(2).to(tl.int64)
    q_tile = q_ptr + batch * q_b + head * q_h + first.to(tl.int64) * q_t
    k_head = k_ptr + batch * k_b + head // groups * k_h
    v_head = v_ptr + batch * v_b + head // groups * v_h
    out_tile = out_ptr + batch * out_b + head * out_h + first.to(tl.int64) * out_t

    rows, cols, dims = tl.arange(0, BLOCK_M), tl.arange(0, BLOCK_N), tl.arange(0, BLOCK_D)
    inside = (first + rows < queries)[:, None] & (dims < DIM)[None, :]
    q = tl.load(q_tile + rows[:, None] * q_t + dims[None, :] * q_d, mask=inside, other=0.0)

    # Every query sees all of the keys before `whole`; from `end` on none sees any.
    whole, end = keys, keys
    if CAUSAL:
        whole = tl.minimum(keys, first + 1 + keys - queries)
        end = tl.minimum(keys, first + BLOCK_M + keys - queries)
    # The maximum is for the compiler: where `whole` might be below 0, it runs the tensor cores'
    # products on Hopper one after the other (ptxas says so, C7515).
    whole = tl.maximum(0, whole) // BLOCK_N * BLOCK_N

    top = tl.full([BLOCK_M], LOWEST, tl.float32)
    total = tl.zeros([BLOCK_M], tl.float32)
    out = tl.zeros([BLOCK_M, BLOCK_D], tl.float32)
    # The loop is compiled twice: without a mask up to `whole`, with one for the edge.
    for EDGE in tl.static_range(2):
        start_at, stop_at = 0, whole
        if EDGE:
            start_at, stop_at = whole, end
        for start in tl.range(start_at, stop_at, BLOCK_N):
            at = tl.full([], start, tl.int64)
            k_tile, v_tile = k_head + at * k_t, v_head + at * v_t
            live = (dims < DIM)[None, :]
            if EDGE:
                live = (start + cols < keys)[:, None] & (dims < DIM)[None, :]
            k = tl.load(k_tile + cols[:, None] * k_t + dims[None, :] * k_d, mask=live, other=0.0)
            scores = tl.dot(q, tl.trans(k), input_precision=PRECISION)
            if EDGE:
                seen = (start + cols < keys)[None, :]
                if CAUSAL:
                    seen &= start + cols[None, :] <= (first + rows + keys - queries)[:, None]
                scores = tl.where(seen, scores, float("-inf"))

            higher = tl.maximum(tl.max(scores, 1) * scale, top)
            weights = tl.exp2(scores * scale - higher[:, None])
            # What was summed under the old maximum shrinks to the new one.
            shrink = tl.exp2(top - higher)
            total = total * shrink + tl.sum(weights, 1)
            v = tl.load(v_tile + cols[:, None] * v_t + dims[None, :] * v_d, mask=live, other=0.0)
            out = tl.dot(weights.to(v.dtype), v, out * shrink[:, None], input_precision=PRECISION)
            top = higher

    out = out / tl.where(total > 0, total, 1.0)[:, None]
    out_at = out_tile + rows[:, None] * out_t + dims[None, :] * out_d
    tl.store(out_at, out.to(q.dtype), mask=inside)


def attend(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    *,
    causal: bool = True,
    scale: float | None = None,
    tile: Tile | None = None,
) -> torch.Tensor:
    """softmax(q·kᵀ·scale + mask)·v in one kernel, a tile of keys at a time.

    Shapes, mask, errors and result as in `naive.attend`. tile: that of `TILES` unless given.
    Raises ValueError for a dim above 256, and TypeError for a dtype that the kernel doesn't take.
    """
    check(q, k, v)
    (batch, heads, queries, dim), kv_heads, keys = q.shape, k.shape[1], k.shape[2]
    tile = tile or tile_for(q.dtype, dim)
    q, scale = launch.in_powers_of_two(q, scale)
    out = torch.empty_like(q)
    if out.numel():
        with launch.on_device_of(q):
            flash_kernel[triton.cdiv(queries, tile.queries), heads, batch](
                *(q, k, v, out),
                *(*q.stride(), *k.stride(), *v.stride(), *out.stride()),
                *(heads // kv_heads, queries, keys, scale),
                **constexprs(tile, dim, causal),
                num_warps=tile.warps,
                num_stages=tile.stages,
            )
    return out


def tile_for(dtype: torch.dtype, dim: int) -> Tile:
    """The tile of `TILES` for these heads."""
    return launch.pick(TILES, dtype, dim)


def constexprs(tile: Tile, dim: int, causal: bool) -> dict[str, object]:
    """What the kernel is compiled for."""
    return {
        "CAUSAL": causal,
        "PRECISION": launch.PRECISION,
        "DIM": dim,
        "BLOCK_D": launch.padded(dim),
        "BLOCK_M": tile.queries,
        "BLOCK_N": tile.keys,
    }


def target(
    dtype: str = "float16",
    dim: int = 64,
    *,
    keys: int | None = None,
    causal: bool = True,
    queries: int | None = None,
    warps: int | None = None,
    stages: int | None = None,
) -> Target:
    """What an x-ray compiles: the launch's tile, changed where asked; `keys` are a tile's."""
    tile = tile_for(launch.dtype_of(dtype), dim)
    tile = tile.but(queries=queries, keys=keys, warps=warps, stages=stages)
    notes = {"problem": f"any number of keys, dim {dim}, {dtype}"}
    return launch.describe(flash_kernel, dtype, tile, constexprs(tile, dim, causal), {}, notes)
