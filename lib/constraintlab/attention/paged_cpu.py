"""Paged prefill on a CPU: each sequence's blocks in one piece, then our flash tiles over them.

Prefill computes far more than it copies, so the copy of a sequence's keys and values (a thousandth
of the products' time at a few hundred tokens) buys the fast products of `flash_cpu`.
"""

from __future__ import annotations

import torch

from constraintlab.attention import flash_cpu
from constraintlab.attention.paged_gather import gathered


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
    """As `paged.prefill_paged`, without a window."""
    if window is not None:
        raise ValueError("our CPU prefill has no sliding window: use backend='gather'")
    out = torch.zeros_like(q)
    starts = cu_seqlens_q.tolist()
    for b, keys in enumerate(seq_lens.tolist()):
        rows = q[starts[b] : starts[b + 1]]
        if not len(rows):
            continue
        k, v = (gathered(p, block_table[b], 0, keys, 1) for p in (k_pool, v_pool))
        mixed = flash_cpu.attend(rows.transpose(0, 1)[None], k, v, scale=scale)
        out[starts[b] : starts[b + 1]] = mixed[0].transpose(0, 1)
    return out
