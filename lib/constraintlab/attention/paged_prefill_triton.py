"""Paged prefill in Triton: ragged new tokens of many sequences against their paged KV caches.

`flash_triton.py` with two changes: a program finds the sequence it works for in the running
sums of their lengths, and keys and values are found through a block table. Prompts, chunks of
prompts and single tokens can be in one call. The new tokens' keys are in the pools already.
Sources: PagedAttention (SOSP'23); FlashAttention-2 (arXiv 2307.08691) and its varlen interface.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from constraintlab.attention import triton_launch as launch
from constraintlab.attention.target import Target
from constraintlab.attention.triton_launch import Tile

LOWEST = tl.constexpr(-3.0e38)
"""Below any score, yet finite: −∞ − −∞, in a row that sees no key, would be NaN."""

TILES = {
    (2, 64): Tile(queries=64, keys=64, warps=4, stages=3),
    (2, 128): Tile(queries=64, keys=32, warps=4, stages=3),
    (2, 256): Tile(queries=64, keys=32, warps=8, stages=3),
    (4, 64): Tile(queries=64, keys=32, warps=8, stages=2),
    (4, 128): Tile(queries=32, keys=16, warps=8, stages=2),
    (4, 256): Tile(queries=16, keys=16, warps=4, stages=2),
}
"""By bytes of a value and largest dim. Fewer queries than flash takes: a batch of short chunks
would leave most rows of a large tile empty."""


@triton.jit
def prefill_kernel(
    q_ptr,
    k_ptr,
    v_ptr,
    table_ptr,
    lens_ptr,
    starts_ptr,
    out_ptr,
    q_t,
    q_h,
    q_d,
    k_b,
    k_t,
    k_h,
    k_d,
    v_b,
    v_t,
    v_h,
    v_d,
    table_b,
    table_t,
    lens_b,
    starts_b,
    out_t,
    out_h,
    out_d,
    sequences,
    groups,
    window,
    scale,
    WINDOWED: tl.constexpr,
    PRECISION: tl.constexpr,
    DIM: tl.constexpr,
    PAGE: tl.constexpr,
    SEQUENCES: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
):
    """BLOCK_M new tokens of one sequence and head against its keys, BLOCK_N at a time.

    k_b, v_b: strides from block to block of the pool; k_t, v_t: from slot to slot in a block
    of PAGE slots. SEQUENCES: a power of two, at least `sequences`.
    """
    # A sequence whose tokens start at s owns the programs from s // BLOCK_M + its number on:
    # enough for any length, without the host asking the GPU for the lengths.
    program, head = tl.num_programs(0) - 1 - tl.program_id(0), tl.program_id(1).to(tl.int64)
    number = tl.arange(0, SEQUENCES)
    starts = tl.load(starts_ptr + number * starts_b, mask=number < sequences, other=0)
    mine = (number < sequences) & (starts // BLOCK_M + number <= program)
    batch = tl.sum(mine.to(tl.int32), 0) - 1
    begun = tl.load(starts_ptr + batch * starts_b)
    queries = tl.load(starts_ptr + (batch + 1) * starts_b) - begun
    keys = tl.load(lens_ptr + batch * lens_b)
    first = (program - begun // BLOCK_M - batch) * BLOCK_M
    if first >= queries:
        return

    q_tile = q_ptr + (begun + first).to(tl.int64) * q_t + head * q_h
    out_tile = out_ptr + (begun + first).to(tl.int64) * out_t + head * out_h
    table = table_ptr + batch.to(tl.int64) * table_b
    k_head, v_head = k_ptr + head // groups * k_h, v_ptr + head // groups * v_h

    rows, cols, dims = tl.arange(0, BLOCK_M), tl.arange(0, BLOCK_N), tl.arange(0, BLOCK_D)
    inside = (first + rows < queries)[:, None] & (dims < DIM)[None, :]
    q = tl.load(q_tile + rows[:, None] * q_t + dims[None, :] * q_d, mask=inside, other=0.0)

    # Queries see keys from `begin` to `end`; all of them see those before `whole`.
    begin = 0
    whole = tl.minimum(keys, first + 1 + keys - queries)
    end = tl.minimum(keys, first + BLOCK_M + keys - queries)
    whole = whole // BLOCK_N * BLOCK_N
    if WINDOWED:
        # The first query's oldest key; blocks before it may be gone. Each tile has a mask.
        begin = tl.maximum(0, first + keys - queries - window + 1)
        whole = begin

    top = tl.full([BLOCK_M], LOWEST, tl.float32)
    total = tl.zeros([BLOCK_M], tl.float32)
    out = tl.zeros([BLOCK_M, BLOCK_D], tl.float32)
    for EDGE in tl.static_range(2):
        start_at, stop_at = begin, whole
        if EDGE:
            start_at, stop_at = whole, end
        for start in tl.range(start_at, stop_at, BLOCK_N):
            page_at = table + (start + cols) // PAGE * table_t
            live = (dims < DIM)[None, :]
            if EDGE:
                # Beyond `end` neither the table nor a slot is read: what is there may be NaN,
                # and a weight of 0 times NaN is NaN.
                page = tl.load(page_at, mask=start + cols < end, other=0).to(tl.int64)
                live = (start + cols < end)[:, None] & (dims < DIM)[None, :]
            else:
                page = tl.load(page_at).to(tl.int64)
            slot = (start + cols) % PAGE
            k_at = k_head + (page * k_b + slot * k_t)[:, None] + dims[None, :] * k_d
            k = tl.load(k_at, mask=live, other=0.0)
            scores = tl.dot(q, tl.trans(k), input_precision=PRECISION)
            if EDGE:
                age = (first + rows + keys - queries)[:, None] - (start + cols)[None, :]
                seen = (age >= 0) & (start + cols < end)[None, :]
                if WINDOWED:
                    seen &= age < window
                scores = tl.where(seen, scores, float("-inf"))

            higher = tl.maximum(tl.max(scores, 1) * scale, top)
            weights = tl.exp2(scores * scale - higher[:, None])
            shrink = tl.exp2(top - higher)
            total = total * shrink + tl.sum(weights, 1)
            v_at = v_head + (page * v_b + slot * v_t)[:, None] + dims[None, :] * v_d
            v = tl.load(v_at, mask=live, other=0.0)
            out = tl.dot(weights.to(v.dtype), v, out * shrink[:, None], input_precision=PRECISION)
            top = higher

    out = out / tl.where(total > 0, total, 1.0)[:, None]
    out_at = out_tile + rows[:, None] * out_t + dims[None, :] * out_d
    tl.store(out_at, out.to(q.dtype), mask=inside)


def prefill_paged(
    q: torch.Tensor,
    k_pool: torch.Tensor,
    v_pool: torch.Tensor,
    block_table: torch.Tensor,
    seq_lens: torch.Tensor,
    cu_seqlens_q: torch.Tensor,
    *,
    scale: float | None = None,
    window: int | None = None,
) -> torch.Tensor:
    """New tokens of each sequence attend to its cached keys and, causally, to each other.

    q [total_q, Hq, D], the sequences' new tokens one after the other: those of sequence b are
    q[cu_seqlens_q[b] : cu_seqlens_q[b + 1]], with cu_seqlens_q int32 [B + 1] (FlashAttention's
    varlen interface). seq_lens int32 [B]: all keys of a sequence, context and new tokens; its
    last query sees all of them. Pools, block_table, scale, window, what is never read and
    errors as in `paged_triton.attend_paged`. Returns [total_q, Hq, D].
    """
    (tokens, heads, dim), (_, page, kv_heads, _) = q.shape, k_pool.shape
    sequences = seq_lens.shape[0]
    tile = tile_for(q.dtype, dim)
    q, scale = launch.in_powers_of_two(q, scale)
    out = torch.empty_like(q)
    if out.numel():
        with launch.on_device_of(q):
            prefill_kernel[tokens // tile.queries + sequences, heads](
                *(q, k_pool, v_pool, block_table, seq_lens, cu_seqlens_q, out),
                *(*q.stride(), *k_pool.stride(), *v_pool.stride()),
                *(*block_table.stride(), *seq_lens.stride(), *cu_seqlens_q.stride()),
                *(*out.stride(), sequences, heads // kv_heads, window or 0, scale),
                **constexprs(tile, dim, page, sequences, window is not None),
                num_warps=tile.warps,
                num_stages=tile.stages,
            )
    return out


def tile_for(dtype: torch.dtype, dim: int) -> Tile:
    """The tile of `TILES` for these heads."""
    return launch.pick(TILES, dtype, dim)


def constexprs(tile: Tile, dim: int, page: int, sequences: int, windowed: bool) -> dict:
    """What the kernel is compiled for."""
    return {
        "WINDOWED": windowed,
        "PRECISION": launch.PRECISION,
        "DIM": dim,
        "PAGE": page,
        "SEQUENCES": launch.padded(sequences),
        "BLOCK_D": launch.padded(dim),
        "BLOCK_M": tile.queries,
        "BLOCK_N": tile.keys,
    }


def target(
    dtype: str = "float16",
    dim: int = 128,
    *,
    page: int = 16,
    windowed: bool = False,
    queries: int | None = None,
    keys: int | None = None,
    warps: int | None = None,
    stages: int | None = None,
) -> Target:
    """What an x-ray compiles: the launch's tile, changed where asked; `keys` are a tile's."""
    tile = tile_for(launch.dtype_of(dtype), dim)
    tile = tile.but(queries=queries, keys=keys, warps=warps, stages=stages)
    pointers = {"table_ptr": "*i32", "lens_ptr": "*i32", "starts_ptr": "*i32"}
    notes = {"problem": f"ragged prefill, blocks of {page}, dim {dim}, {dtype}"}
    fixed = constexprs(tile, dim, page, sequences=16, windowed=windowed)
    fixed |= {"table_t": 1, "lens_b": 1, "starts_b": 1}
    return launch.describe(prefill_kernel, dtype, tile, fixed, pointers, notes)
