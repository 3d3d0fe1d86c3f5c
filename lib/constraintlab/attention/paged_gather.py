"""Paged attention the obvious way: gather each sequence's blocks, then torch's SDPA.

The peer that a paged kernel has to beat, and what runs where there is no kernel: it copies all
keys and values once more, and needs room for the copy.
"""

from __future__ import annotations

import torch

SDPA = torch.nn.functional.scaled_dot_product_attention


def gathered(
    pool: torch.Tensor, blocks: torch.Tensor, first: int, length: int, group: int
) -> torch.Tensor:
    """Keys `first` … `length` of one sequence as [1, kv_heads · group, keys, dim]."""
    page = pool.shape[1]
    mine = blocks[first // page : -(-length // page)].long()
    rows = pool[mine].flatten(0, 1)[first % page : length - first // page * page]
    return rows.transpose(0, 1).repeat_interleave(group, 0)[None]


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
    """As `paged.attend_paged`, one sequence after the other."""
    starts = torch.arange(len(seq_lens) + 1)
    return prefill_paged(
        q, k_pool, v_pool, block_table, seq_lens, starts, scale=scale, window=window
    )


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
    """As `paged.prefill_paged`, one sequence after the other."""
    out = torch.zeros_like(q)
    group = q.shape[1] // k_pool.shape[2]
    starts = cu_seqlens_q.tolist()
    for b, keys in enumerate(seq_lens.tolist()):
        rows = q[starts[b] : starts[b + 1]]
        new = len(rows)
        if not new or not keys:
            continue
        first = 0 if window is None else max(0, keys - new - window + 1)
        k, v = (gathered(p, block_table[b], first, keys, group) for p in (k_pool, v_pool))
        age = torch.arange(keys - new, keys)[:, None] - torch.arange(first, keys)[None, :]
        seen = age >= 0 if window is None else (age >= 0) & (age < window)
        mask = None if new == 1 else seen.to(q.device)
        mixed = SDPA(rows.transpose(0, 1)[None], k, v, attn_mask=mask, scale=scale)
        out[starts[b] : starts[b + 1]] = mixed[0].transpose(0, 1)
    return out
