"""What lies between a layer's matrix products, on a GPU: each of `glue`'s functions one kernel.

As operations of torch a layer has about 25 of them, which read and write every row as often; as
kernels four. A program takes one row, or one head of it, works on it in fp32 in registers, and
rounds where `glue` rounds: a model was trained with that.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from constraintlab.attention.triton_launch import on_device_of, padded

GELU = tl.constexpr(1.5957691216057308)
"""2·√(2/π): gelu's tanh form is g·sigmoid(2z), z = √(2/π)·(g + 0.044715·g³)."""

WIDE = 1024
"""Values that a program of the gate takes."""


@triton.jit
def inverse_root(x):
    """1 ÷ √x, rounded as torch's: the GPU's own instruction for it is a bit off, and a row needs
    only one."""
    return tl.div_rn(1.0, tl.sqrt_rn(x))


@triton.jit
def normalised(x, weight, mask, n, eps):
    """x [BLOCK] fp32 ÷ the root mean square of its n values, times weight."""
    return x * inverse_root(tl.sum(tl.where(mask, x * x, 0.0), 0) / n + eps) * weight


@triton.jit
def norm_kernel(x_ptr, weight_ptr, out_ptr, x_n, n, eps, BLOCK: tl.constexpr):
    """One row."""
    row, at = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK)
    mask = at < n
    x = tl.load(x_ptr + row * x_n + at, mask=mask, other=0.0).to(tl.float32)
    weight = tl.load(weight_ptr + at, mask=mask, other=0.0)
    out = normalised(x, weight, mask, n, eps)
    tl.store(out_ptr + row * n + at, out.to(out_ptr.dtype.element_ty), mask=mask)


@triton.jit
def add_norm_kernel(
    x_ptr, y_ptr, after_ptr, weight_ptr, total_ptr, out_ptr, n, eps,
    AFTER: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One row of x + y, y normalised first where AFTER says so, and of its norm."""
    row, at = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK)
    mask = at < n
    kind = out_ptr.dtype.element_ty
    x = tl.load(x_ptr + row * n + at, mask=mask, other=0.0)
    y = tl.load(y_ptr + row * n + at, mask=mask, other=0.0)
    if AFTER:
        after = tl.load(after_ptr + at, mask=mask, other=0.0)
        y = normalised(y.to(tl.float32), after, mask, n, eps).to(kind)
    total = (x.to(tl.float32) + y.to(tl.float32)).to(kind)
    tl.store(total_ptr + row * n + at, total, mask=mask)
    weight = tl.load(weight_ptr + at, mask=mask, other=0.0)
    out = normalised(total.to(tl.float32), weight, mask, n, eps)
    tl.store(out_ptr + row * n + at, out.to(kind), mask=mask)


@triton.jit
def turn_kernel(
    qkv_ptr, cos_ptr, sin_ptr, q_weight_ptr, k_weight_ptr, slots_ptr, q_ptr, k_ptr, v_ptr,
    heads, kv_heads, eps, NORMED: tl.constexpr, DIM: tl.constexpr, HALF: tl.constexpr,
):  # fmt: skip
    """One head of one token: a query's turned, a key's turned and put away, a value's put away.

    Both halves of a head by themselves: each needs the other. HALF: a power of two.
    """
    token, head = tl.program_id(0).to(tl.int64), tl.program_id(1)
    at = tl.arange(0, HALF)
    mask = at < DIM // 2
    kind = q_ptr.dtype.element_ty
    from_ptr = qkv_ptr + (token * (heads + 2 * kv_heads) + head) * DIM
    first = tl.load(from_ptr + at, mask=mask, other=0.0)
    second = tl.load(from_ptr + DIM // 2 + at, mask=mask, other=0.0)
    slot = tl.load(slots_ptr + token)
    to_ptr = q_ptr + (token * heads + head) * DIM
    if head >= heads + kv_heads:
        to_ptr = v_ptr + (slot * kv_heads + head - heads - kv_heads) * DIM
    elif head >= heads:
        to_ptr = k_ptr + (slot * kv_heads + head - heads) * DIM
    if head < heads + kv_heads:
        a, b = first.to(tl.float32), second.to(tl.float32)
        if NORMED:
            weight_ptr = q_weight_ptr if head < heads else k_weight_ptr
            scale = inverse_root((tl.sum(a * a, 0) + tl.sum(b * b, 0)) / DIM + eps)
            a = a * scale * tl.load(weight_ptr + at, mask=mask, other=0.0)
            b = b * scale * tl.load(weight_ptr + DIM // 2 + at, mask=mask, other=0.0)
        # The angles of both halves are the same; the first half's sines are negative.
        cos = tl.load(cos_ptr + token * DIM + at, mask=mask, other=0.0)
        sin = tl.load(sin_ptr + token * DIM + DIM // 2 + at, mask=mask, other=0.0)
        first, second = (a * cos - b * sin).to(kind), (b * cos + a * sin).to(kind)
    tl.store(to_ptr + at, first, mask=mask)
    tl.store(to_ptr + DIM // 2 + at, second, mask=mask)


@triton.jit
def gate_kernel(both_ptr, out_ptr, width, TANH: tl.constexpr, BLOCK: tl.constexpr):
    """BLOCK values of one row."""
    row = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = at < width
    kind = out_ptr.dtype.element_ty
    x = tl.load(both_ptr + 2 * row * width + at, mask=mask, other=0.0).to(tl.float32)
    up = tl.load(both_ptr + (2 * row + 1) * width + at, mask=mask, other=0.0).to(tl.float32)
    z = GELU * (x + 0.044715 * x * x * x) if TANH else x
    small = tl.exp(-tl.abs(z))
    share = tl.where(z >= 0, 1.0, small) / (1.0 + small)
    risen = (x * share).to(kind).to(tl.float32)
    tl.store(out_ptr + row * width + at, (risen * up).to(kind), mask=mask)


def warps(block: int) -> int:
    """For so many values of a program: about eight to a thread."""
    return max(1, min(16, block // 256))


def norm(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    """See `glue.norm`."""
    (rows, n), block = x.shape, padded(x.shape[1])
    out = torch.empty(rows, n, dtype=x.dtype, device=x.device)
    with on_device_of(x):
        norm_kernel[(rows,)](
            x, weight, out, x.stride(0), n, eps, BLOCK=block, num_warps=warps(block)
        )
    return out


def add_norm(
    x: torch.Tensor, y: torch.Tensor, after: torch.Tensor | None, weight: torch.Tensor, eps: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """See `glue.add_norm`."""
    x, y, n = x.contiguous(), y.contiguous(), x.shape[1]
    block = padded(n)
    total, out = torch.empty_like(x), torch.empty_like(x)
    given = weight if after is None else after
    with on_device_of(x):
        add_norm_kernel[(len(x),)](
            *(x, y, given, weight, total, out, n, eps),
            AFTER=after is not None, BLOCK=block, num_warps=warps(block),
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
    """See `glue.turn`. The pools are contiguous."""
    kv_heads, dim = k_pool.shape[2:]
    heads = qkv.shape[1] // dim - 2 * kv_heads
    qkv, (cos, sin) = qkv.contiguous(), turns
    q = torch.empty(len(qkv), heads, dim, dtype=qkv.dtype, device=qkv.device)
    q_weight, k_weight = weights or (cos, cos)
    with on_device_of(qkv):
        turn_kernel[len(qkv), heads + 2 * kv_heads](
            *(qkv, cos, sin, q_weight, k_weight, slots, q, k_pool, v_pool, heads, kv_heads, eps),
            NORMED=weights is not None, DIM=dim, HALF=padded(dim // 2), num_warps=1,
        )  # fmt: skip
    return q


def gate(gate_up: torch.Tensor, activation: str) -> torch.Tensor:
    """See `glue.gate`."""
    gate_up, width = gate_up.contiguous(), gate_up.shape[1] // 2
    out = torch.empty(len(gate_up), width, dtype=gate_up.dtype, device=gate_up.device)
    with on_device_of(gate_up):
        gate_kernel[len(gate_up), triton.cdiv(width, WIDE)](
            gate_up, out, width, TANH=activation == "gelu_tanh", BLOCK=WIDE
        )
    return out
