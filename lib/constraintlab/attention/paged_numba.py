"""Paged decode on a CPU: each sequence's keys and values are read where they lie, once.

A sequence is cut into pieces; whichever thread is free takes the next (flash-decoding, Dao et
al. 2023). A piece goes through its keys in tiles: scores of all heads for each token, softmax
rescaled as tiles come (Milakov and Gimelshein 2018), then the weighted values: `paged_tile`. The
last thread to end a piece of a sequence merges them.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from numba import njit, prange

from constraintlab.attention import half, paged_tile, simd
from constraintlab.attention.compiled import Compiled, compiled
from constraintlab.attention.paged_tile import TILE, place, score, softmax, weigh
from constraintlab.attention.simd import FAST, exp2, fetch_add

LEAST = 256
"""Tokens of a piece, at least: what a piece costs besides its tokens is then under 2%."""

PER_WORKER = 16
"""Pieces a thread, so that the last one to finish is late by a sixteenth of its share."""


def attend_paged(
    q: torch.Tensor,
    k_pool: torch.Tensor,
    v_pool: torch.Tensor,
    block_table: torch.Tensor,
    seq_lens: torch.Tensor,
    *,
    scale: float | None = None,
    window: int | None = None,
) -> torch.Tensor:
    """As `paged.attend_paged`, of which this is one backend; inputs are checked there."""
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    out = torch.zeros(q.shape)
    if not k_pool.numel() or not out.numel():
        return out.to(q.dtype)
    scaled = q.detach().float().mul(scale * math.log2(math.e)).contiguous()
    lens = seq_lens.to(torch.int32).contiguous().numpy()
    keys = int(lens.sum()) if not window else int(np.minimum(lens, window).sum())
    kernel(q.shape[-1]).sized(
        2 * keys * k_pool.shape[2] * k_pool.shape[3],
        scaled.numpy(),
        flat(k_pool),
        flat(v_pool),
        k_pool.stride()[:3],
        v_pool.stride()[:3],
        k_pool.shape[1],
        k_pool.shape[2],
        block_table.to(torch.int32).contiguous().numpy(),
        lens,
        window or 0,
        out.numpy(),
    )
    return out.to(q.dtype)


def flat(pool: torch.Tensor) -> np.ndarray:
    """Everything from a pool's first element to its last in one dimension, without a copy.

    The kernels add up offsets themselves: a pool may be one layer of a larger tensor.
    """
    extent = 1 + sum((n - 1) * s for n, s in zip(pool.shape, pool.stride(), strict=True))
    line = pool.detach().as_strided((extent,), (1,))
    bits = {torch.bfloat16: torch.uint16, torch.float16: torch.int16}.get(pool.dtype)
    return (line if bits is None else line.view(bits)).numpy()


@cache
def kernel(dim: int) -> Compiled:
    """The decode kernel for heads of `dim`: a constant, so that loops over it are unrolled."""

    def decode(
        threads, q, keys, values, k_steps, v_steps, block, kv_heads, table, lens, window, out
    ):
        pieces, left = _pieces(lens, window, threads)
        parts = np.empty((pieces.shape[0], q.shape[1], dim), np.float32)
        peaks = np.empty((pieces.shape[0], 2, q.shape[1]), np.float32)
        taken = np.zeros(1, np.int64)
        # A constant loop of up to 32 steps is unrolled before it could be vectorised.
        size = dim if dim > 32 else q.shape[2]
        for _ in prange(threads):
            _work(
                size, q, keys, values, k_steps, v_steps, block, kv_heads, table,
                pieces, left, taken, parts, peaks, out,
            )  # fmt: skip

    return compiled(decode, __file__, paged_tile.__file__, half.__file__, simd.__file__)


@njit
def _pieces(lens, window, threads):
    """([n, 4]: sequence, first key, end, its first piece; pieces not yet done per sequence)."""
    first = np.zeros(lens.size, np.int64)
    total = 0
    for b in range(lens.size):
        first[b] = max(0, lens[b] - window) if window else 0
        total += lens[b] - first[b]
    most = max(LEAST, -(-total // (threads * PER_WORKER)))
    left = np.zeros(lens.size, np.int64)
    for b in range(lens.size):
        left[b] = -(-(lens[b] - first[b]) // most)
    pieces = np.empty((left.sum(), 4), np.int64)
    n = 0
    for b in range(lens.size):
        for i in range(left[b]):
            pieces[n, 0], pieces[n, 3] = b, n - i
            pieces[n, 1] = first[b] + i * most
            pieces[n, 2] = min(lens[b], pieces[n, 1] + most)
            n += 1
    return pieces, left


@njit(forceinline=True, error_model="numpy")
def _work(
    dim, q, keys, values, k_steps, v_steps, block, kv_heads, table,
    pieces, left, taken, parts, peaks, out,
):  # fmt: skip
    """Take pieces until none is left."""
    group = q.shape[1] // kv_heads
    scores = np.empty((q.shape[1], TILE), np.float32)
    k_at, v_at = np.empty(2 * TILE, np.int64), np.empty(2 * TILE, np.int64)
    rows = np.empty((4, dim), np.float32)
    while True:
        i = fetch_add(taken, 0, 1)
        if i >= pieces.shape[0]:
            break
        b, at, end, head = pieces[i]
        part, peak, weight = parts[i], peaks[i, 0], peaks[i, 1]
        part[:], peak[:], weight[:] = 0, -np.inf, 0
        next_k, next_v = k_at[TILE:], v_at[TILE:]  # where the tile after this one lies
        later = min(end, at + TILE)
        place(table[b], at, later, block, k_steps, next_k)
        place(table[b], at, later, block, v_steps, next_v)
        while at < end:
            n = later - at
            k_at[:TILE], v_at[:TILE] = next_k, next_v
            at, later = later, min(end, later + TILE)
            place(table[b], at, later, block, k_steps, next_k)
            place(table[b], at, later, block, v_steps, next_v)
            near = n + later - at
            score(dim, q[b], keys, k_at, n, near, k_steps[2], group, kv_heads, rows, scores)
            softmax(dim, scores, n, peak, weight, part)
            weigh(dim, scores, values, v_at, n, near, v_steps[2], group, kv_heads, rows, part)
        if fetch_add(left, b, -1) == 1:
            _merge(dim, parts, peaks, head, pieces, out[b])


@njit(forceinline=True, fastmath=FAST, error_model="numpy")
def _merge(dim, parts, peaks, head, pieces, out):
    """out = Σ part·2^(peak − top) ÷ Σ weight·2^(peak − top) over a sequence's pieces."""
    end = head
    while end < pieces.shape[0] and pieces[end, 3] == head:
        end += 1
    for h in range(out.shape[0]):
        top = peaks[head, 0, h]
        for i in range(head + 1, end):
            top = max(top, peaks[i, 0, h])
        total, result = np.float32(0), out[h]
        for i in range(head, end):
            share = exp2(peaks[i, 0, h] - top)
            total += share * peaks[i, 1, h]
            sums = parts[i, h]
            for d in range(dim):
                result[d] += share * sums[d]
        for d in range(dim):
            result[d] /= total
