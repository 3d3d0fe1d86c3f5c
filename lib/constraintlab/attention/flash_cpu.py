"""FlashAttention on a CPU: tiles of keys and an online softmax, so that no row need fit on chip."""

from __future__ import annotations

import math

import torch

from constraintlab.attention.cpu_blocks import diagonal, some_heads
from constraintlab.attention.rung import check

BLOCK, TILE, HEADS = 256, 512, 8
"""Queries of a block, keys of a tile, and query heads at a time: 4 MiB of scores in fp32."""
NOTHING = -1e30
"""The running maximum before any key: finite, since −∞ − (−∞) is not a number."""


def attend(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    *,
    causal: bool = True,
    scale: float | None = None,
    block: int = BLOCK,
    tile: int = TILE,
) -> torch.Tensor:
    """softmax(q·kᵀ·scale + mask)·v, tile by tile of keys; tiles past the diagonal are skipped.

    Each row carries its running maximum m, the sum of its weights and the weighted sum acc of
    values, all in fp32; a tile that raises m scales the others down (Milakov and Gimelshein
    2018; Dao et al. 2022). block, tile: queries and keys of one tile. Shapes, mask, errors and
    result as in `naive.attend`.
    """
    check(q, k, v)
    queries, keys = q.shape[2], k.shape[2]
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    past = keys - queries
    out = torch.empty(q.shape, dtype=q.dtype)
    mask = diagonal(block, torch.float32)
    for h in some_heads(q, k, v, out, HEADS):
        most = h.q.shape[0] * h.q.shape[1] * block * tile
        held = torch.empty(most, dtype=h.q.dtype)
        wide = None if held.dtype == torch.float32 else torch.empty(most)
        for first in range(0, queries, block):
            last = min(first + block, queries)
            seen = min(keys, last + past) if causal else keys
            rows = h.rows(first, last)
            m = torch.full((*rows.shape[:2], 1), NOTHING)
            total, acc = torch.zeros_like(m), torch.zeros(rows.shape)

            for begin in range(0, seen, tile):
                end = min(begin + tile, seen)
                shape = (*rows.shape[:2], end - begin)
                scores = low = held[: math.prod(shape)].view(shape)
                torch.baddbmm(low, rows, h.k_t[:, :, begin:end], beta=0, alpha=scale, out=low)
                if wide is not None:
                    scores = wide[: math.prod(shape)].view(shape).copy_(low)
                edge, start = first + past, max(begin, first + past)
                if causal and end > edge:
                    at_edge = mask[: last - first, start - edge : end - edge]
                    scores.unflatten(1, (-1, last - first))[..., start - begin :].add_(at_edge)

                top = torch.maximum(m, scores.amax(-1, keepdim=True))
                scores.sub_(top).exp_()
                shrink = m.sub_(top).exp_()
                total.mul_(shrink).add_(scores.sum(-1, keepdim=True))
                weights = scores if wide is None else low.copy_(scores)
                acc.mul_(shrink).add_(torch.bmm(weights, h.v[:, begin:end]))
                m = top
            h.write(first, last, acc.div_(total))

    if causal and past < 0:
        out[:, :, :-past] = 0
    return out
