"""Fused attention on a CPU: a block of queries keeps its whole score rows in cache."""

from __future__ import annotations

import math

import torch

from constraintlab.attention.cpu_blocks import diagonal, some_heads
from constraintlab.attention.rung import check

BLOCK, HEADS = 128, 4
"""Queries of a block, and query heads at a time."""
ON_CHIP = 8 * 1024**2
"""Bytes of scores that stay in cache between the two products: a quarter of a server's L3."""


def block_of(keys: int, itemsize: int) -> int:
    """Queries whose score rows over `keys` keys fit on chip: the longer the prompt, the fewer."""
    return max(1, min(BLOCK, ON_CHIP // (HEADS * keys * itemsize)))


def attend(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    *,
    causal: bool = True,
    scale: float | None = None,
) -> torch.Tensor:
    """softmax(q·kᵀ·scale + mask)·v, block by block of queries; nothing S×S in memory.

    Shapes, mask, errors and result as in `naive.attend`.
    """
    check(q, k, v)
    queries, keys = q.shape[2], k.shape[2]
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    past = keys - queries
    out = torch.empty(q.shape, dtype=q.dtype)
    for h in some_heads(q, k, v, out, HEADS):
        size = block_of(keys, h.q.itemsize)
        mask = diagonal(size, h.q.dtype)
        held = torch.empty(h.q.shape[0] * h.q.shape[1] * size * keys, dtype=h.q.dtype)
        for first in range(0, queries, size):
            last = min(first + size, queries)
            seen = min(keys, last + past) if causal else keys
            if seen <= 0:
                continue
            rows = h.rows(first, last)

            scores = held[: rows.shape[0] * rows.shape[1] * seen].view(*rows.shape[:2], seen)
            torch.baddbmm(scores, rows, h.k_t[:, :, :seen], beta=0, alpha=scale, out=scores)
            if causal:
                edge, start = first + past, max(0, first + past)
                # No name for this view: it would keep the strip of the heads before alive.
                at_edge = mask[: last - first, start - edge : seen - edge]
                scores.unflatten(1, (-1, last - first))[..., start:].add_(at_edge)
            torch.softmax(scores, dim=-1, out=scores)
            h.write(first, last, torch.bmm(scores, h.v[:, :seen]))

    if causal and past < 0:
        out[:, :, :-past] = 0
    return out
