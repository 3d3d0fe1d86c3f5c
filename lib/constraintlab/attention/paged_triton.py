"""Paged decode in Triton: one new token a sequence, keys and values found through a block table.

A decode step reads the whole KV cache for a few FLOPs, so memory sets its speed: K and V are
read once for all query heads that share them, and each sequence's keys are split among enough
programs to keep every memory channel busy, even at batch 1. A second kernel joins the splits.
Sources: PagedAttention (SOSP'23); Flash-Decoding (Stanford CRFM, 2023-10-12).
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
    (2, 128): Tile(queries=16, keys=64, warps=4, stages=3),
    (2, 256): Tile(queries=16, keys=32, warps=4, stages=3),
    (4, 64): Tile(queries=16, keys=32, warps=4, stages=2),
    (4, 128): Tile(queries=16, keys=32, warps=8, stages=2),
    (4, 256): Tile(queries=16, keys=16, warps=8, stages=2),
}
"""By bytes of a value and largest dim. `queries` is the fewest rows: the heads of a group, of
which tl.dot takes at least 16. The empty rows cost tensor-core time, which a kernel that waits
for memory has to spare."""

MOST_SPLITS = 128
"""So that the second kernel holds one number from each in registers."""

PER_PROCESSOR = 4
"""Programs wanted for each of the GPU's processors, so that their waits for memory overlap."""

PROCESSORS = 132
"""An H100's, where there is no GPU to ask."""


@triton.jit
def paged_kernel(
    q_ptr,
    k_ptr,
    v_ptr,
    table_ptr,
    lens_ptr,
    out_ptr,
    peak_ptr,
    q_b,
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
    out_b,
    out_h,
    out_s,
    out_d,
    peak_b,
    peak_h,
    groups,
    window,
    scale,
    PRECISION: tl.constexpr,
    DIM: tl.constexpr,
    PAGE: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
):
    """All query heads of one KV head against one split of a sequence's keys.

    k_b, v_b: strides from block to block of the pool; k_t, v_t: from slot to slot in a block
    of PAGE slots. `out` is this split's own softmax; `peak` the log₂ of its total, by which
    the second kernel weighs it.
    """
    # 64 bits: a pool has more than 2³¹ values.
    split, head, batch = (
        tl.program_id(0),
        tl.program_id(1).to(tl.int64),
        tl.program_id(2).to(tl.int64),
    )
    k_head, v_head = k_ptr + head * k_h, v_ptr + head * v_h
    table = table_ptr + batch * table_b
    rows, cols, dims = tl.arange(0, BLOCK_M), tl.arange(0, BLOCK_N), tl.arange(0, BLOCK_D)
    heads = head * groups + rows
    inside = (rows < groups)[:, None] & (dims < DIM)[None, :]
    q_at = q_ptr + batch * q_b + heads[:, None] * q_h + dims[None, :] * q_d
    q = tl.load(q_at, mask=inside, other=0.0)

    # The splits share what the window leaves of the sequence, in whole tiles.
    keys = tl.load(lens_ptr + batch * lens_b)
    first = tl.maximum(0, keys - window)
    share = tl.cdiv(tl.cdiv(keys - first, tl.num_programs(0)), BLOCK_N) * BLOCK_N
    begin = first + split * share
    end = tl.minimum(keys, begin + share)

    top = tl.full([BLOCK_M], LOWEST, tl.float32)
    total = tl.zeros([BLOCK_M], tl.float32)
    out = tl.zeros([BLOCK_M, BLOCK_D], tl.float32)
    for start in tl.range(begin, end, BLOCK_N):
        # Beyond `end` neither the table nor a slot is read: what is there may be NaN, and a
        # weight of 0 times NaN is NaN.
        live = start + cols < end
        page_at = table + (start + cols) // PAGE * table_t
        page = tl.load(page_at, mask=live, other=0).to(tl.int64)
        slot = (start + cols) % PAGE
        filled = live[:, None] & (dims < DIM)[None, :]
        k_at = k_head + (page * k_b + slot * k_t)[:, None] + dims[None, :] * k_d
        k = tl.load(k_at, mask=filled, other=0.0)
        scores = tl.dot(q, tl.trans(k), input_precision=PRECISION)
        scores = tl.where(live[None, :], scores, float("-inf"))

        higher = tl.maximum(tl.max(scores, 1) * scale, top)
        weights = tl.exp2(scores * scale - higher[:, None])
        shrink = tl.exp2(top - higher)
        total = total * shrink + tl.sum(weights, 1)
        v_at = v_head + (page * v_b + slot * v_t)[:, None] + dims[None, :] * v_d
        v = tl.load(v_at, mask=filled, other=0.0)
        out = tl.dot(weights.to(v.dtype), v, out * shrink[:, None], input_precision=PRECISION)
        top = higher

    # A split without keys: out 0, and a peak so low that it weighs nothing.
    total = tl.where(total > 0, total, 1.0)
    out_at = (
        out_ptr + batch * out_b + split * out_s + heads[:, None] * out_h + dims[None, :] * out_d
    )
    tl.store(out_at, (out / total[:, None]).to(out_ptr.dtype.element_ty), mask=inside)
    peak_at = peak_ptr + batch * peak_b + heads * peak_h + split
    tl.store(peak_at, top + tl.log2(total), mask=rows < groups)


@triton.jit
def join_kernel(
    part_ptr,
    peak_ptr,
    out_ptr,
    part_b,
    part_h,
    part_s,
    part_d,
    peak_b,
    peak_h,
    out_b,
    out_h,
    out_d,
    splits,
    DIM: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_S: tl.constexpr,
):
    """BLOCK_D values of one head's output: its splits, each weighed by its share of the total."""
    head, batch = tl.program_id(0), tl.program_id(1).to(tl.int64)
    rows, dims = tl.arange(0, BLOCK_S), tl.program_id(2) * BLOCK_D + tl.arange(0, BLOCK_D)
    peak_at = peak_ptr + batch * peak_b + head * peak_h + rows
    peak = tl.load(peak_at, mask=rows < splits, other=float("-inf"))
    weights = tl.exp2(peak - tl.max(peak, 0))
    part_at = part_ptr + batch * part_b + head * part_h + rows[:, None] * part_s
    filled = (rows < splits)[:, None] & (dims < DIM)[None, :]
    part = tl.load(part_at + dims[None, :] * part_d, mask=filled, other=0.0)
    out = tl.sum(part * weights[:, None], 0) / tl.sum(weights, 0)
    out_at = out_ptr + batch * out_b + head * out_h + dims * out_d
    tl.store(out_at, out.to(out_ptr.dtype.element_ty), mask=dims < DIM)


def attend_paged(
    q: torch.Tensor,
    k_pool: torch.Tensor,
    v_pool: torch.Tensor,
    block_table: torch.Tensor,
    seq_lens: torch.Tensor,
    *,
    scale: float | None = None,
    window: int | None = None,
    splits: int | None = None,
) -> torch.Tensor:
    """Each sequence's newest token attends to the keys its block table lists: one decode step.

    q [B, Hq, D]; pools [n_blocks, block_size, Hkv, D], Hq a multiple of Hkv; block_table int32
    [B, max_blocks]; seq_lens int32 [B], the newest token counted. Token n of a sequence is in
    slot n % block_size of block block_table[b, n // block_size]. window: only the last so many
    keys count. splits: programs that share a sequence, unless given enough to fill the GPU.
    Returns [B, Hq, D]; a sequence of length 0 gives 0. Slots past seq_lens, blocks that no
    table lists and table entries past the last block are never read. Takes valid inputs; raises
    ValueError for a dim above 256 and TypeError for a dtype that the kernel doesn't take.
    """
    (batch, heads, dim), (_, page, kv_heads, _) = q.shape, k_pool.shape
    groups, keys = heads // kv_heads, block_table.shape[1] * page
    tile = tile_for(q.dtype, dim, groups)
    if splits is None:
        splits = splits_for(batch * kv_heads, keys, tile, processors(q.device))
    q, scale = launch.in_powers_of_two(q, scale)
    out = torch.empty_like(q)
    if not out.numel():
        return out
    # One split is the answer already, and needs no fp32 copy.
    part = out.unsqueeze(2)
    if splits > 1:
        part = torch.empty(batch, heads, splits, dim, dtype=torch.float32, device=q.device)
    peak = torch.empty(batch, heads, splits, dtype=torch.float32, device=q.device)
    with launch.on_device_of(q):
        paged_kernel[splits, kv_heads, batch](
            *(q, k_pool, v_pool, block_table, seq_lens, part, peak),
            *(*q.stride(), *k_pool.stride(), *v_pool.stride()),
            *(*block_table.stride(), *seq_lens.stride(), *part.stride(), *peak.stride()[:2]),
            *(groups, EVERY_KEY if window is None else window, scale),
            **constexprs(tile, dim, page),
            num_warps=tile.warps,
            num_stages=tile.stages,
        )
        if splits > 1:
            width = min(64, launch.padded(dim))
            join_kernel[heads, batch, triton.cdiv(dim, width)](
                *(part, peak, out),
                *(*part.stride(), *peak.stride()[:2], *out.stride()),
                splits,
                **{"DIM": dim, "BLOCK_D": width, "BLOCK_S": launch.padded(splits)},
            )
    return out


EVERY_KEY = 2**31 - 1
"""A window that no sequence is longer than."""


def tile_for(dtype: torch.dtype, dim: int, groups: int) -> Tile:
    """The tile of `TILES` for these heads, with a row for each query head of a group."""
    return launch.pick(TILES, dtype, dim).but(queries=launch.padded(groups))


def splits_for(programs: int, keys: int, tile: Tile, processors: int) -> int:
    """Into how many programs each of `programs` (sequence, KV head) pairs is split.

    `keys`: the most that a sequence can have, for the lengths themselves are on the GPU and
    reading them back would wait for it. Each split has two tiles of those at least.
    """
    wanted = triton.cdiv(PER_PROCESSOR * processors, max(programs, 1))
    return max(1, min(wanted, triton.cdiv(keys, 2 * tile.keys), MOST_SPLITS))


def processors(device: torch.device) -> int:
    """Streaming multiprocessors of `device`; an H100's if it is no GPU."""
    if device.type != "cuda":
        return PROCESSORS
    return torch.cuda.get_device_properties(device).multi_processor_count


def constexprs(tile: Tile, dim: int, page: int) -> dict[str, object]:
    """What the kernel is compiled for."""
    return {
        "PRECISION": launch.PRECISION,
        "DIM": dim,
        "PAGE": page,
        "BLOCK_D": launch.padded(dim),
        "BLOCK_M": tile.queries,
        "BLOCK_N": tile.keys,
    }


def target(
    dtype: str = "float16",
    dim: int = 128,
    *,
    groups: int = 4,
    page: int = 16,
    keys: int | None = None,
    warps: int | None = None,
    stages: int | None = None,
) -> Target:
    """What an x-ray compiles: the first kernel's launch, changed where asked; `keys` a tile's."""
    tile = tile_for(launch.dtype_of(dtype), dim, groups)
    tile = tile.but(keys=keys, warps=warps, stages=stages)
    pointers = {"table_ptr": "*i32", "lens_ptr": "*i32", "out_ptr": "*fp32", "peak_ptr": "*fp32"}
    notes = {"problem": f"decode, {groups} query heads a KV head, blocks of {page}, {dtype}"}
    fixed = {**constexprs(tile, dim, page), "table_t": 1, "lens_b": 1}
    return launch.describe(paged_kernel, dtype, tile, fixed, pointers, notes)
