"""FlashAttention through torch: `scaled_dot_product_attention` held to its flash backend."""

from __future__ import annotations

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from constraintlab.attention.cpu_blocks import Cut
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
    if _masked(queries, keys, causal):
        mask = _lower_right(queries, keys) if q.is_cuda else _visible(queries, keys)
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        out = torch.nn.functional.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=causal and square, scale=scale,
            enable_gqa=q.shape[1] != k.shape[1],
        )  # fmt: skip
    if causal and queries > keys:
        out[:, :, : queries - keys] = 0
    return out


def _masked(queries: int, keys: int, causal: bool) -> bool:
    """Whether torch has to be told who sees whom: its own `is_causal` aligns top-left."""
    return causal and queries != keys and queries > 1


def _lower_right(queries: int, keys: int):
    # It brings torch's compiler with it: seconds, which every engine's process would pay.
    from torch.nn.attention.bias import causal_lower_right

    return causal_lower_right(queries, keys)


def _visible(queries: int, keys: int) -> torch.Tensor:
    """[queries, keys], True where a query may look."""
    return torch.ones(queries, keys, dtype=torch.bool).tril(keys - queries)


TILE = 512


def cpu_cut(shape: Shape) -> Cut:
    """How torch's CPU kernel cuts `shape` (ATen/native/cpu/FlashAttentionKernel.cpp).

    Tiles are computed whole; under a mask tensor, which a causal problem with as many keys as
    queries can do without, none is skipped.
    """
    block = 256 if shape.queries >= 768 else 64 if shape.queries >= 192 else 32
    return Cut(block, TILE, skips=not _masked(shape.queries, shape.keys, shape.causal))


def cpu_scratch(shape: Shape) -> int:
    """Bytes that torch's CPU kernel holds beyond inputs and output, as the same source has it.

    A tile of scores and a block of output in fp32 for each thread, the tile in the inputs' dtype
    once more; a logarithm a row; the mask, if it needs one, as bytes and in the inputs' dtype.
    """
    block, tile = min(cpu_cut(shape).block, shape.queries), min(TILE, shape.keys)
    item = shape.dtype.itemsize
    a_thread = (block * tile + 2 * block + block * shape.dim) * 4
    a_thread += block * tile * item if item < 4 else 0
    masked = _masked(shape.queries, shape.keys, shape.causal)
    mask = shape.queries * shape.keys * (1 + item) if masked else 0
    return torch.get_num_threads() * a_thread + row_logs(shape) + mask


def row_logs(shape: Shape) -> int:
    """Bytes of the logarithm of each row's sum, which the libraries keep for training."""
    return shape.batch * shape.heads * shape.queries * 4
