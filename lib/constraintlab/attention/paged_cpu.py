"""Paged prefill on a CPU: each sequence's blocks in one piece, then our own products over them.

Prefill computes far more than it copies, so the copy of a sequence's keys and values (a thousandth
of the products' time at a few hundred tokens) buys the fast products of `flash_cpu`, or of
`window_cpu` where a window bounds what a query sees.
"""

from __future__ import annotations

from functools import partial

import torch

from constraintlab.attention import flash_cpu, window_cpu
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
    """As `paged.prefill_paged`, one sequence after the other."""
    out = torch.zeros_like(q)
    starts = cu_seqlens_q.tolist()
    for b, keys in enumerate(seq_lens.tolist()):
        rows = q[starts[b] : starts[b + 1]]
        if not len(rows):
            continue
        new, first = len(rows), 0
        attend = flash_cpu.attend
        if window is not None and window < keys:
            first = max(0, keys - new - window + 1)
            attend = partial(window_cpu.attend, window=window)
        k, v = (gathered(p, block_table[b], first, keys, 1) for p in (k_pool, v_pool))
        mixed = attend(rows.transpose(0, 1)[None], k, v, scale=scale)
        out[starts[b] : starts[b + 1]] = mixed[0].transpose(0, 1)
    return out
