"""Naive attention, as a textbook writes it: every S×S step makes a new matrix in memory."""

from __future__ import annotations

import math

import torch

from constraintlab.attention.rung import Availability, Shape, check, fresh, total
from constraintlab.limits.work import Kernel, Work


def attend(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    *,
    causal: bool = True,
    scale: float | None = None,
) -> torch.Tensor:
    """softmax(q·kᵀ·scale + mask)·v with one new S×S matrix for each operation.

    q [B, Hq, Tq, D], k and v [B, Hkv, Tk, D], Hq a multiple of Hkv. The causal mask is
    aligned bottom-right; a fully masked row is 0. scale: 1/√D unless given. Returns
    [B, Hq, Tq, D]. Raises ValueError or TypeError for shapes, dtypes or devices that don't fit.
    """
    check(q, k, v)
    groups = q.shape[1] // k.shape[1]
    if groups > 1:
        k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)

    scores = q @ k.mT
    scores = scores * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if causal:
        scores = scores + causal_mask(q.shape[2], k.shape[2], q)
    weights = torch.softmax(scores, dim=-1)
    out = weights @ v

    if causal and q.shape[2] > k.shape[2]:
        out[:, :, : q.shape[2] - k.shape[2]] = 0
    return out


def causal_mask(queries: int, keys: int, like: torch.Tensor) -> torch.Tensor:
    """[queries, keys]: 0 where a query may look, −∞ where not, aligned bottom-right."""
    full = torch.full((queries, keys), -math.inf, dtype=like.dtype, device=like.device)
    return full.triu_(keys - queries + 1)


def kernels(shape: Shape) -> tuple[Kernel, ...]:
    """The work of one call, operation by operation; softmax counts exponentials, not FLOPs."""
    s, product = shape.score_bytes, 2.0 * shape.scores * shape.dim
    mask = shape.queries * shape.keys * shape.dtype.itemsize
    q, kv = _operands(shape), _operands(shape, kv=True)
    new_s, new_mask, new_q = (fresh(n, shape.device) for n in (s, mask, q))
    masked = shape.causal
    return (
        Kernel("q·kᵀ", Work(product, q + kv + s, new_s), unit=shape.unit),
        Kernel("scale", Work(0, 2 * s, new_s)),
        *((Kernel("mask", Work(0, 2 * s + 3 * mask, new_s + new_mask)),) if masked else ()),
        Kernel("softmax", Work(shape.scores, 2 * s, new_s), unit="exp"),
        Kernel("·v", Work(product, s + kv + q, new_q), unit=shape.unit),
    )


def _operands(shape: Shape, kv: bool = False) -> int:
    """Bytes of q (or of k, or of v)."""
    heads, tokens = (shape.kv_heads, shape.keys) if kv else (shape.heads, shape.queries)
    return shape.batch * heads * tokens * shape.dim * shape.dtype.itemsize


def work(shape: Shape) -> Work:
    """FLOPs of the two products, bytes of every pass, bytes of fresh memory."""
    return total(kernels(shape))


def peak_bytes(shape: Shape) -> int:
    """Most memory alive at once beyond the inputs: two S×S matrices and the mask, or the output."""
    mask = shape.queries * shape.keys * shape.dtype.itemsize if shape.causal else 0
    return 2 * shape.score_bytes + max(mask, _operands(shape))


def availability(device: str = "cpu") -> Availability:
    """Naive attention is plain torch and runs wherever torch does."""
    return Availability(True, f"torch on {device}")
