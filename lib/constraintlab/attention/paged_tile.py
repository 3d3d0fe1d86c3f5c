"""What a thread of the paged decode does with a tile of tokens: scores, softmax, weighted values.

Token by token all KV heads of a slot lie side by side, and every query head of a group uses a
row while it is in the cache.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from constraintlab.attention.half import cast, stored
from constraintlab.attention.simd import FAST, exp2, prefetch_row

TILE = 64
"""Tokens between two looks at the running maximum."""

AHEAD = 16
"""Tokens by which rows are asked for early: blocks lie anywhere, so no hardware can guess."""

STREAMS = 4
"""Quarters of a tile that are read in turn, a token of each: blocks of four pages are then open
at once, and memory answers them side by side (on two cores of Zen 4 a tenth faster than block
after block)."""
STREAM = TILE // STREAMS


@njit(forceinline=True, error_model="numpy")
def place(blocks, start, end, block, steps, where):
    """Where each token's slot begins: one division a block, not one a token.

    A whole tile's tokens come in the order 0, 16, 32, 48, 1, 17, …: see `STREAMS`. Keys and
    values have the same order, and a sum over tokens any.
    """
    n, i = end - start, 0
    b = start // block
    slot = start - b * block
    while i < n:
        base = blocks[b] * steps[0]
        here = min(block - slot, n - i)
        for j in range(i, i + here):
            at = j % STREAM * STREAMS + j // STREAM if n == TILE else j
            where[at] = base + (slot + j - i) * steps[1]
        i, slot, b = i + here, 0, b + 1


@njit(forceinline=True, fastmath=FAST)
def score(dim, q, keys, where, n, near, head_step, group, kv_heads, rows, scores):
    for t in range(n):
        later = where[min(t + AHEAD, near - 1)]
        for h in range(kv_heads):
            prefetch_row(keys, later + h * head_step, dim)
            key = stored(keys, where[t] + h * head_step, dim, rows[0])
            for g in range(h * group, (h + 1) * group):
                query = q[g]  # a slice before the loop: indexing that may wrap is not vectorised
                dot = np.float32(0)
                for d in range(dim):
                    dot += query[d] * cast(key[d])
                scores[g, t] = dot


@njit(forceinline=True, fastmath=FAST, error_model="numpy")
def softmax(dim, scores, n, peak, weight, part):
    """Scores become weights against the maximum so far; what was summed before is rescaled."""
    for h in range(scores.shape[0]):
        mine = scores[h, :n]
        top = peak[h]
        for t in range(n):
            top = max(top, mine[t])
        if top > peak[h]:
            shrink = exp2(peak[h] - top)
            peak[h] = top
            weight[h] *= shrink
            sums = part[h]
            for d in range(dim):
                sums[d] *= shrink
        total = np.float32(0)
        for t in range(n):
            mine[t] = exp2(mine[t] - top)
            total += mine[t]
        weight[h] += total


@njit(forceinline=True, fastmath=FAST)
def weigh(dim, weights, values, where, n, near, head_step, group, kv_heads, rows, part):
    """Four tokens at a time: their sum goes through the cache once instead of four times."""
    t = 0
    while t + 4 <= n:
        for h in range(kv_heads):
            for i in range(t + AHEAD, t + AHEAD + 4):
                prefetch_row(values, where[min(i, near - 1)] + h * head_step, dim)
            v0 = stored(values, where[t] + h * head_step, dim, rows[0])
            v1 = stored(values, where[t + 1] + h * head_step, dim, rows[1])
            v2 = stored(values, where[t + 2] + h * head_step, dim, rows[2])
            v3 = stored(values, where[t + 3] + h * head_step, dim, rows[3])
            for g in range(h * group, (h + 1) * group):
                sums, w = part[g], weights[g]
                w0, w1, w2, w3 = w[t], w[t + 1], w[t + 2], w[t + 3]
                for d in range(dim):
                    sums[d] += (
                        w0 * cast(v0[d]) + w1 * cast(v1[d]) + w2 * cast(v2[d]) + w3 * cast(v3[d])
                    )
        t += 4
    for i in range(t, n):
        for h in range(kv_heads):
            value = stored(values, where[i] + h * head_step, dim, rows[0])
            for g in range(h * group, (h + 1) * group):
                sums, w0 = part[g], weights[g, i]
                for d in range(dim):
                    sums[d] += w0 * cast(value[d])
