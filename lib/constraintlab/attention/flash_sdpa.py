"""FlashAttention through torch: `scaled_dot_product_attention` held to its flash backend."""

from __future__ import annotations

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.bias import causal_lower_right

from constraintlab.attention.rung import Shape


def lacks(shape: Shape) -> str:
    """What this problem needs that torch's flash backend has not, or nothing."""
    if shape.device == "cpu":
        return ""
    if shape.device != "cuda" or not torch.cuda.is_available():
        return f"no flash backend for {shape.device}"
    if shape.dtype == torch.float32:
        return "torch's flash backend takes float16 and bfloat16"
    if shape.dim > 256:
        return f"head size {shape.dim}: torch's flash backend takes 256 at most"
    major, _ = torch.cuda.get_device_capability()
    return "" if major >= 8 else "needs compute capability 8.0 or newer"


def attend(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    *,
    causal: bool = True,
    scale: float | None = None,
) -> torch.Tensor:
    """As `naive.attend`, by torch's flash backend; RuntimeError if torch would take another."""
    queries, keys = q.shape[2], k.shape[2]
    square = queries == keys
    mask = None
    if causal and not square and queries > 1:
        mask = causal_lower_right(queries, keys) if q.is_cuda else _visible(queries, keys)
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        out = torch.nn.functional.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=causal and square, scale=scale,
            enable_gqa=q.shape[1] != k.shape[1],
        )  # fmt: skip
    if causal and queries > keys:
        out[:, :, : queries - keys] = 0
    return out


def _visible(queries: int, keys: int) -> torch.Tensor:
    """[queries, keys], True where a query may look: torch's own `is_causal` aligns top-left."""
    return torch.ones(queries, keys, dtype=torch.bool).tril(keys - queries)
