"""Paged prefill by an older rung: each sequence's keys are gathered, then attended to by that rung.

So an engine can serve with naive, workspace, fused or flash attention, and all else stays equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import ModuleType

import torch

from constraintlab.attention import flash, fused, naive, workspace
from constraintlab.attention.paged_gather import gathered
from constraintlab.attention.rung import Shape
from constraintlab.limits.work import Kernel

KEPT = workspace.Workspace()
"""One a process: layers and sequences run one after the other."""

RUNGS: Mapping[str, tuple[ModuleType, Callable[..., torch.Tensor]]] = {
    "naive": (naive, naive.attend),
    "workspace": (workspace, partial(workspace.attend, workspace=KEPT)),
    "fused": (fused, fused.attend),
    "flash": (flash, flash.attend),
}
"""Rung → its module, and its `attend`."""


def prefill_paged(
    q: torch.Tensor,
    k_pool: torch.Tensor,
    v_pool: torch.Tensor,
    block_table: torch.Tensor,
    seq_lens: torch.Tensor,
    cu_seqlens_q: torch.Tensor,
    *,
    rung: str,
    scale: float | None = None,
    window: int | None = None,
) -> torch.Tensor:
    """As `paged.prefill_paged`, one sequence after the other. ValueError for a window that a
    sequence is longer than: the rungs know none."""
    out = torch.zeros_like(q)
    attend = RUNGS[rung][1]
    starts = cu_seqlens_q.tolist()
    for b, keys in enumerate(seq_lens.tolist()):
        rows = q[starts[b] : starts[b + 1]]
        if not len(rows) or not keys:
            continue
        if window is not None and keys > window:
            raise ValueError(
                f"the {rung} rung has no sliding window and {keys} keys are over {window}: use "
                "prefill='auto' for this model"
            )
        k, v = (gathered(pool, block_table[b], 0, keys, 1) for pool in (k_pool, v_pool))
        mixed = attend(rows.transpose(0, 1)[None], k, v, causal=True, scale=scale)
        out[starts[b] : starts[b + 1]] = mixed[0].transpose(0, 1)
    return out


def kernels(rung: str, shape: Shape) -> tuple[Kernel, ...]:
    """The work of one sequence's prefill in one layer."""
    return RUNGS[rung][0].kernels(shape)
