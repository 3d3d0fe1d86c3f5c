"""What lies between a layer's matrix products, on a CPU: each of `glue`'s functions one kernel.

A row is read once, worked on in fp32 while it is in the cache, and written once. Rounded is where
`glue` rounds: a model was trained with that.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numba import njit, prange

from constraintlab.attention import half, simd
from constraintlab.attention.compiled import Compiled, compiled
from constraintlab.attention.half import put, row
from constraintlab.attention.simd import FAST, exp2, view

GELU = 2 * np.sqrt(2 / np.pi)
"""gelu's tanh form, 0.5·g·(1 + tanh(z)), is g·sigmoid(2z), z = √(2/π)·(g + 0.044715·g³)."""


def norm(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    """See `glue.norm`."""
    x, out = x.contiguous(), torch.empty(x.shape, dtype=x.dtype)
    _norm().sized(x.numel(), flat(x), weight.numpy(), eps, flat(out))
    return out


def add_norm(
    x: torch.Tensor, y: torch.Tensor, after: torch.Tensor | None, weight: torch.Tensor, eps: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """See `glue.add_norm`."""
    total, out = torch.empty_like(x), torch.empty_like(x)
    none = weight[:0] if after is None else after
    _add_norm().sized(
        x.numel(), flat(x), flat(y.contiguous()), none.numpy(), weight.numpy(), eps,
        flat(total), flat(out),
    )  # fmt: skip
    return total, out


def turn(
    qkv: torch.Tensor,
    turns: tuple[torch.Tensor, torch.Tensor],
    weights: tuple[torch.Tensor, torch.Tensor] | None,
    eps: float,
    slots: torch.Tensor,
    k_pool: torch.Tensor,
    v_pool: torch.Tensor,
) -> torch.Tensor:
    """See `glue.turn`."""
    kv_heads, dim = k_pool.shape[2:]
    heads = qkv.shape[1] // dim - 2 * kv_heads
    q = torch.empty(len(qkv), heads, dim, dtype=qkv.dtype)
    cos, sin = (t.numpy().reshape(-1) for t in turns)
    q_weight, k_weight = ((cos[:0],) * 2) if weights is None else (w.numpy() for w in weights)
    _turn().sized(
        qkv.numel(), flat(qkv), heads, kv_heads, dim, cos, sin, q_weight, k_weight, eps,
        slots.numpy(), flat(q), flat(k_pool), flat(v_pool),
    )  # fmt: skip
    return q


def gate(gate_up: torch.Tensor, activation: str) -> torch.Tensor:
    """See `glue.gate`."""
    n, width = len(gate_up), gate_up.shape[1] // 2
    out = torch.empty(n, width, dtype=gate_up.dtype)
    _gate().sized(
        out.numel(), flat(gate_up), width, np.float32(activation == "gelu_tanh"), flat(out)
    )
    return out


def flat(x: torch.Tensor) -> np.ndarray:
    """A contiguous tensor in one dimension, bfloat16 as uint16 of the same bits."""
    line = x.view(-1)
    return (line.view(torch.uint16) if x.dtype == torch.bfloat16 else line).numpy()


@njit(forceinline=True, fastmath=FAST)
def _scale(x, dim, eps):
    """1 ÷ the root mean square."""
    total = np.float32(0)
    for d in range(dim):
        total += x[d] * x[d]
    return np.float32(1) / np.sqrt(total / np.float32(dim) + np.float32(eps))


@njit(forceinline=True, fastmath=FAST)
def _normalise(x, weight, dim, eps, out):
    scale = _scale(x, dim, eps)
    for d in range(dim):
        put(out, d, x[d] * scale * weight[d])


@cache
def _norm() -> Compiled:
    def norm(threads, x, weight, eps, out):
        dim, rows = weight.size, x.size // weight.size
        for t in prange(threads):
            scratch = np.empty(dim, np.float32)
            for i in range(t * rows // threads, (t + 1) * rows // threads):
                x_i, out_i = row(x, i * dim, dim, scratch), view(out, i * dim, dim)
                _normalise(x_i, weight, dim, eps, out_i)

    return compiled(norm, __file__, half.__file__, simd.__file__)


@cache
def _add_norm() -> Compiled:
    def add_norm(threads, x, y, after, weight, eps, total, out):
        dim, rows = weight.size, x.size // weight.size
        for t in prange(threads):
            scratch = np.empty((2, dim), np.float32)
            for i in range(t * rows // threads, (t + 1) * rows // threads):
                _add(x, y, after, dim, eps, total, i * dim, scratch)
                total_i = row(total, i * dim, dim, scratch[0])
                _normalise(total_i, weight, dim, eps, view(out, i * dim, dim))

    return compiled(add_norm, __file__, half.__file__, simd.__file__)


@njit(forceinline=True, fastmath=FAST)
def _add(x, y, after, dim, eps, total, at, scratch):
    total_i = view(total, at, dim)
    if after.size:
        # By way of `total`: what is added has been rounded to the model's dtype.
        _normalise(row(y, at, dim, scratch[0]), after, dim, eps, total_i)
        add = row(total, at, dim, scratch[0])
    else:
        add = row(y, at, dim, scratch[0])
    had = row(x, at, dim, scratch[1])
    for d in range(dim):
        put(total_i, d, had[d] + add[d])


@cache
def _turn() -> Compiled:
    def turn(
        threads, qkv, heads, kv_heads, dim, cos, sin, q_weight, k_weight, eps,
        slots, q, k_pool, v_pool,
    ):  # fmt: skip
        tokens, width = slots.size, (heads + 2 * kv_heads) * dim
        for t in prange(threads):
            scratch = np.empty((2, dim), np.float32)
            for i in range(t * tokens // threads, (t + 1) * tokens // threads):
                c, s = view(cos, i * dim, dim), view(sin, i * dim, dim)
                for h in range(heads):
                    at = i * width + h * dim
                    _turned(qkv, at, dim, c, s, q_weight, eps, q, (i * heads + h) * dim, scratch)
                slot = slots[i] * kv_heads * dim
                at = i * width + heads * dim
                for h in range(kv_heads):
                    to = slot + h * dim
                    _turned(qkv, at + h * dim, dim, c, s, k_weight, eps, k_pool, to, scratch)
                new = view(qkv, at + kv_heads * dim, kv_heads * dim)
                place = view(v_pool, slot, kv_heads * dim)
                for d in range(kv_heads * dim):
                    place[d] = new[d]

    return compiled(turn, __file__, half.__file__, simd.__file__)


@njit(forceinline=True, fastmath=FAST)
def _turned(qkv, at, dim, cos, sin, weight, eps, out, to, scratch):
    """One head, normalised if there is a weight, rotated, into out[to : to + dim]."""
    x, half = row(qkv, at, dim, scratch[0]), dim // 2
    scale = _scale(x, dim, eps) if weight.size else np.float32(1)
    y = scratch[1]
    for d in range(dim):
        y[d] = x[d] * scale * weight[d] if weight.size else x[d]
    low, high, low_sin, high_sin = y[:half], y[half:], sin[:half], sin[half:]
    low_out, high_out = view(out, to, half), view(out, to + half, half)
    for d in range(half):  # the angles of both halves are the same
        put(low_out, d, low[d] * cos[d] + high[d] * low_sin[d])
        put(high_out, d, high[d] * cos[d] + low[d] * high_sin[d])


@cache
def _gate() -> Compiled:
    def gate(threads, gate_up, width, tanh, out):
        rows = out.size // width
        for t in prange(threads):
            scratch = np.empty((2, width), np.float32)
            for i in range(t * rows // threads, (t + 1) * rows // threads):
                _gated(gate_up, 2 * i * width, width, tanh, out, i * width, scratch)

    return compiled(gate, __file__, half.__file__, simd.__file__)


@njit(forceinline=True, fastmath=FAST)
def _gated(gate_up, at, width, tanh, out, to, scratch):
    g, up = row(gate_up, at, width, scratch[0]), row(gate_up, at + width, width, scratch[1])
    out_i = view(out, to, width)
    for d in range(width):
        x = g[d]
        z = np.float32(GELU) * (x + np.float32(0.044715) * x * x * x) if tanh else x
        small = exp2(-abs(z) * np.float32(1.4426950408889634))
        share = np.float32(1) / (np.float32(1) + small)
        put(out_i, d, x * (share if z >= 0 else small * share))
    risen = row(out, to, width, scratch[0])  # rounded, as it is before the product
    for d in range(width):
        put(out_i, d, risen[d] * up[d])
