"""Sliding-window attention on a CPU: a block of queries sees few keys, and meets only those.

The window bounds a score row to window + block keys however long the prompt, so that whole rows fit
on chip: the fused rung's loop, over a band instead of a triangle.
"""

from __future__ import annotations

import math

import torch

from constraintlab.attention.cpu_blocks import diagonal, some_heads
from constraintlab.attention.fused_cpu import BLOCK, HEADS, block_of
from constraintlab.attention.rung import check


def attend(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, window: int, scale: float | None = None
) -> torch.Tensor:
    """softmax(q·kᵀ·scale + mask)·v over the newest `window` keys that each query may see.

    Causal, aligned bottom-right; keys that no query of a block sees are never touched. Shapes,
    errors and result as in `naive.attend`, with no more queries than keys.
    """
    check(q, k, v)
    queries, keys = q.shape[2], k.shape[2]
    if window < 1 or queries > keys:
        raise ValueError(f"window={window}, {queries} queries, {keys} keys: give 1 or more keys")
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    past = keys - queries
    out = torch.empty(q.shape, dtype=q.dtype)
    most = min(keys, window + BLOCK)
    size = block_of(most, q.itemsize)
    for h in some_heads(q, k, v, out, HEADS):
        newer = diagonal(size, h.q.dtype)
        older = newer.mT
        held = torch.empty(h.q.shape[0] * h.q.shape[1] * size * most, dtype=h.q.dtype)
        for first in range(0, queries, size):
            last = min(first + size, queries)
            oldest = max(0, first + past - window + 1)
            seen = slice(oldest, last + past)
            rows, n = h.rows(first, last), last - first

            shape = (*rows.shape[:2], seen.stop - oldest)
            scores = held[: math.prod(shape)].view(shape)
            torch.baddbmm(scores, rows, h.k_t[:, :, seen], beta=0, alpha=scale, out=scores)
            band = scores.unflatten(1, (-1, n))
            band[..., -n:] += newer[:n, :n]
            whole = max(0, window - 1 - first - past)  # rows whose window reaches before key 0
            if whole < n:
                band[..., whole:, : n - whole] += older[: n - whole, : n - whole]
            torch.softmax(scores, dim=-1, out=scores)
            h.write(first, last, torch.bmm(scores, h.v[:, seen]))
    return out
