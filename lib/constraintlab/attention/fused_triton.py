"""Fused attention in Triton: a block of queries keeps its whole score rows on chip.

Nothing S×S is ever in memory. In exchange the chip has to hold all keys of a head and a
whole row of scores for each query, which bounds S: see `longest`. Flash removes that bound,
and the diff from this file to `flash_triton.py` shows how.
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

SHARED = 163 * 1024
"""Bytes of shared memory that one program can have on an A100 (sm_80); an H100 has 227 KB."""


@triton.jit
def fused_kernel(
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
    """BLOCK_M queries of one head against all its keys at once: BLOCK_N ≥ keys."""
    first = tl.program_id(0) * BLOCK_M
    # 64 bits: a batch of long prompts has more than 2³¹ values.
    head, batch = tl.program_id(1).to(tl.int64), tl.program_id(2).to(tl.int64)
    q_tile = q_ptr + batch * q_b + head * q_h + first.to(tl.int64) * q_t
    k_head = k_ptr + batch * k_b + head // groups * k_h
    v_head = v_ptr + batch * v_b + head // groups * v_h
    out_tile = out_ptr + batch * out_b + head * out_h + first.to(tl.int64) * out_t

    rows, cols, dims = tl.arange(0, BLOCK_M), tl.arange(0, BLOCK_N), tl.arange(0, BLOCK_D)
    inside = (first + rows < queries)[:, None] & (dims < DIM)[None, :]
    q = tl.load(q_tile + rows[:, None] * q_t + dims[None, :] * q_d, mask=inside, other=0.0)

    live = (cols < keys)[:, None] & (dims < DIM)[None, :]
    k = tl.load(k_head + cols[:, None] * k_t + dims[None, :] * k_d, mask=live, other=0.0)
    scores = tl.dot(q, tl.trans(k), input_precision=PRECISION)
    seen = (cols < keys)[None, :]
    if CAUSAL:
        seen &= cols[None, :] <= (first + rows + keys - queries)[:, None]
    scores = tl.where(seen, scores, float("-inf"))

    top = tl.maximum(tl.max(scores, 1) * scale, LOWEST)
    weights = tl.exp2(scores * scale - top[:, None])
    total = tl.sum(weights, 1)
    v = tl.load(v_head + cols[:, None] * v_t + dims[None, :] * v_d, mask=live, other=0.0)
    out = tl.dot(weights.to(v.dtype), v, input_precision=PRECISION)

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
) -> torch.Tensor:
    """softmax(q·kᵀ·scale + mask)·v in one kernel, with whole score rows on chip.

    Shapes, mask, errors and result as in `naive.attend`. Raises ValueError for more keys than
    the chip holds, and TypeError for a dtype that the kernel doesn't take.
    """
    check(q, k, v)
    (batch, heads, queries, dim), kv_heads, keys = q.shape, k.shape[1], k.shape[2]
    fits = longest(dim, q.dtype, shared_memory(q.device))
    if keys > fits:
        raise ValueError(
            f"{keys} keys don't fit on chip: fused attention holds every key of a head and whole "
            f"rows of scores there, at most {fits} keys for dim {dim} in {q.dtype}. "
            "Use flash, which holds one tile of them at a time."
        )
    tile = tile_for(keys)
    q, scale = launch.in_powers_of_two(q, scale)
    out = torch.empty_like(q)
    if out.numel():
        with launch.on_device_of(q):
            fused_kernel[triton.cdiv(queries, tile.queries), heads, batch](
                *(q, k, v, out),
                *(*q.stride(), *k.stride(), *v.stride(), *out.stride()),
                *(heads // kv_heads, queries, keys, scale),
                **constexprs(tile, dim, causal),
                num_warps=tile.warps,
                num_stages=tile.stages,
            )
    return out


def tile_for(keys: int) -> Tile:
    """As few queries as tl.dot takes, so that their rows can be long; all the keys."""
    return Tile(queries=16, keys=launch.padded(keys), warps=8)


def longest(dim: int, dtype: torch.dtype, shared: int = SHARED) -> int:
    """Most keys that fit on chip, a power of two: S can't be longer.

    `shared` bytes of shared memory hold, for each key, its `dim` values and the weights that
    the 16 queries of a program give it. (In fp32 a product in full precision keeps rows of
    its operands in registers too: that runs, but spills from 128 keys on.)
    """
    a_key = (launch.padded(dim) + tile_for(1).queries) * launch.dtype_of(dtype).itemsize
    return 1 << ((shared // a_key).bit_length() - 1)


def shared_memory(device: torch.device) -> int:
    """Bytes of shared memory that a program can have on `device`; an A100's if it is no GPU."""
    if device.type != "cuda":
        return SHARED
    return torch.cuda.get_device_properties(device).shared_memory_per_block_optin


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
) -> Target:
    """What an x-ray compiles: the launch's tile for `keys` keys, changed where asked.

    keys: the most that compile without spills on an A100 unless given. More than `longest`
    compile too, though no launch could run them: look at the spills and at shared memory.
    """
    if keys is None:
        keys = 64 if dtype == "float32" else longest(dim, launch.dtype_of(dtype))
    tile = tile_for(keys).but(queries=queries, warps=warps)
    notes = {"problem": f"{keys} keys, dim {dim}, {dtype}"}
    return launch.describe(fused_kernel, dtype, tile, constexprs(tile, dim, causal), {}, notes)
