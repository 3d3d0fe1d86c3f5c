"""What lies between a layer's matrix products, an operation at a time: norms, rotation, gate.

Everything here is small beside a product, and there is much of it: at batch 1 a layer's forty
short operations took a third of a step. `glue_numba`, on a CPU, and `glue_triton`, on a GPU, have
the same four functions, a kernel each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec

import torch
from torch.nn.functional import gelu, rms_norm, silu

from constraintlab.attention.backends import AUTO, Backend, Choice, choose


def norm(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    """x [N, C] ÷ its rows' root mean square, in fp32, times weight fp32 [C]; in x's dtype."""
    return rms_norm(x.float(), weight.shape, weight, eps).to(x.dtype)


def add_norm(
    x: torch.Tensor, y: torch.Tensor, after: torch.Tensor | None, weight: torch.Tensor, eps: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """(x + y, and that normalised by `weight`). after: by which y is normalised first, if it is."""
    x = x + (y if after is None else norm(y, after, eps))
    return x, norm(x, weight, eps)


def turn(
    qkv: torch.Tensor,
    turns: tuple[torch.Tensor, torch.Tensor],
    weights: tuple[torch.Tensor, torch.Tensor] | None,
    eps: float,
    slots: torch.Tensor,
    k_pool: torch.Tensor,
    v_pool: torch.Tensor,
) -> torch.Tensor:
    """Rotate queries and keys, put keys and values into their slots; returns q [N, Hq, D].

    qkv [N, (Hq + 2·Hkv)·D]; turns: cosines and sines [N, 1, D] of each position, the sines of the
    first half negative. weights: of the norms of q's and of k's heads, fp32 [D], if there are
    any. slots int64 [N]; pools [n_blocks, block_size, Hkv, D].
    """
    kv_heads, dim = k_pool.shape[2:]
    heads = qkv.view(len(qkv), -1, dim)
    qk, v = heads.split((heads.shape[1] - kv_heads, kv_heads), 1)
    turning = qk.float()
    if weights is not None:
        each = [w.expand(n, dim) for w, n in zip(weights, _split(qk, kv_heads), strict=True)]
        turning = rms_norm(turning, (dim,), None, eps) * torch.cat(each)
    first, second = turning.chunk(2, -1)
    cos, sin = turns
    turned = torch.addcmul(turning * cos, torch.cat((second, first), -1), sin).to(qkv.dtype)
    q, k = turned.split(_split(qk, kv_heads), 1)
    k_pool.flatten(0, 1).index_copy_(0, slots, k)
    v_pool.flatten(0, 1).index_copy_(0, slots, v)
    return q


def _split(qk: torch.Tensor, kv_heads: int) -> tuple[int, int]:
    return qk.shape[1] - kv_heads, kv_heads


def gate(gate_up: torch.Tensor, activation: str) -> torch.Tensor:
    """activation(first half of each row) × second half; activation: `silu` or `gelu_tanh`."""
    rising, up = gate_up.chunk(2, -1)
    rising = gelu(rising, approximate="tanh") if activation == "gelu_tanh" else silu(rising)
    return rising.mul_(up)


@dataclass(frozen=True)
class Rows:
    """What decides who does it: the activations' dtype and device."""

    dtype: torch.dtype
    device: str


def _lacks_numba(rows: Rows) -> str:
    if rows.device != "cpu":
        return "runs on a CPU"
    if rows.dtype not in (torch.float32, torch.bfloat16):
        return f"has no {str(rows.dtype).removeprefix('torch.')}"
    return "" if find_spec("numba") else "numba is not installed"


def _lacks_triton(rows: Rows) -> str:
    if rows.device != "cuda":
        return "runs on a GPU"
    return "" if find_spec("triton") else "Triton is not installed"


def _module(name: str):
    return lambda: import_module(f"constraintlab.engine.model.{name}")


BACKENDS = (
    Backend("triton", _lacks_triton, _module("glue_triton"), own=True),
    Backend("numba", _lacks_numba, _module("glue_numba"), own=True),
    Backend("torch", lambda rows: "", _module("glue")),
)


def choice(dtype: torch.dtype, device: str, backend: str = AUTO) -> Choice[Rows]:
    """Who does it here: `triton` or `numba`, a kernel for each, or `torch`; why not the others."""
    return choose(BACKENDS, Rows(dtype, device), backend)


@cache
def best(dtype: torch.dtype, device: str, backend: str = AUTO):
    """The module with these four functions that runs here."""
    return choice(dtype, device, backend).backend.call()
