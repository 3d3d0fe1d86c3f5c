"""Naive attention with a workspace: the same passes over the same S×S, in memory that stays."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from constraintlab.attention import naive
from constraintlab.attention.rung import Availability, Shape, check, total
from constraintlab.limits.work import Kernel, Work


class Workspace:
    """Two S×S buffers and the mask, as large as the largest call so far, kept for the next ones."""

    def __init__(self) -> None:
        self._flat: tuple[torch.Tensor, ...] = ()
        self._mask: torch.Tensor | None = None

    def buffers(self, q: torch.Tensor, keys: int) -> tuple[torch.Tensor, ...]:
        """(scores, weights, mask) for queries `q` [B, Hq, Tq, D] and `keys` keys."""
        size = (*q.shape[:3], keys)
        n = math.prod(size)
        if not self._flat or not _same(self._flat[0], q) or self._flat[0].numel() < n:
            self._flat = ()
            scores = torch.empty(n, dtype=q.dtype, device=q.device)
            self._flat = scores, torch.empty_like(scores)
        scores, weights = (flat[:n].view(size) for flat in self._flat)
        return scores, weights, self._causal(q, keys)

    def _causal(self, q: torch.Tensor, keys: int) -> torch.Tensor:
        """The mask [Tq, keys]: a corner of the one that is kept, where one of its corners is it."""
        queries, kept = q.shape[2], self._mask
        if kept is not None and _same(kept, q):
            first = (keys - queries) - (kept.shape[1] - kept.shape[0])
            if first >= 0 and first + queries <= kept.shape[0] and keys <= kept.shape[1]:
                return kept[first : first + queries, :keys]
        self._mask = naive.causal_mask(queries, keys, q)
        return self._mask

    @property
    def bytes(self) -> int:
        """Memory that the workspace holds on to."""
        kept = (*self._flat, *([self._mask] if self._mask is not None else []))
        return sum(b.nbytes for b in kept)


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return (a.dtype, a.device) == (b.dtype, b.device)


def attend(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    *,
    causal: bool = True,
    scale: float | None = None,
    workspace: Workspace | None = None,
) -> torch.Tensor:
    """softmax(q·kᵀ·scale + mask)·v, each step into a buffer of `workspace`.

    Shapes, mask, errors and result as in `naive.attend`. Without a workspace it makes one
    for this call and gains nothing: pass the same one every time.
    """
    check(q, k, v)
    groups = q.shape[1] // k.shape[1]
    if groups > 1:
        k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
    scores, weights, mask = (workspace or Workspace()).buffers(q, k.shape[2])

    torch.matmul(q, k.mT, out=scores)
    scores.mul_(1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if causal:
        scores.add_(mask)
    torch.softmax(scores, dim=-1, out=weights)
    out = weights @ v

    if causal and q.shape[2] > k.shape[2]:
        out[:, :, : q.shape[2] - k.shape[2]] = 0
    return out


def kernels(shape: Shape) -> tuple[Kernel, ...]:
    """As the naive rung's, with nothing fresh but the output and no mask to build."""
    mask = shape.queries * shape.keys * shape.dtype.itemsize
    kept = []
    for k in naive.kernels(shape):
        fresh = k.each.fresh if k.name == "·v" else 0.0
        moved = k.each.bytes - (2 * mask if k.name == "mask" else 0)
        kept.append(replace(k, each=Work(k.each.flops, moved, fresh)))
    return tuple(kept)


def work(shape: Shape) -> Work:
    """FLOPs of the two products, bytes of every pass, bytes of fresh memory."""
    return total(kernels(shape))


def peak_bytes(shape: Shape) -> int:
    """Memory beyond the inputs: the workspace and the output."""
    return naive.peak_bytes(replace(shape, causal=True))


def availability(device: str = "cpu") -> Availability:
    """Plain torch: runs wherever torch does."""
    return Availability(True, f"torch on {device}")
