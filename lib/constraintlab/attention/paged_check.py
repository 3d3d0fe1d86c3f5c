"""Input checks of the paged rung: each says what is wrong and what to give, before a kernel runs.

On a GPU the values of tables and lengths are not looked at: reading them back would wait for
everything queued before. Shapes, dtypes and devices are checked everywhere.
"""

from __future__ import annotations

import torch

DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def check_decode(
    q: torch.Tensor,
    k_pool: torch.Tensor,
    v_pool: torch.Tensor,
    block_table: torch.Tensor,
    seq_lens: torch.Tensor,
    window: int | None = None,
) -> None:
    """Raises ValueError or TypeError, naming the fix, for inputs that a decode step can't take."""
    _tensors(q, k_pool, v_pool, block_table, seq_lens, window)
    if q.shape[0] != block_table.shape[0]:
        raise ValueError(
            f"q has {q.shape[0]} rows and block_table {block_table.shape[0]}: decode takes one "
            "query a sequence; for more use prefill_paged"
        )
    if q.device.type == "cpu":
        _values(k_pool, block_table, seq_lens)


def check_prefill(
    q: torch.Tensor,
    k_pool: torch.Tensor,
    v_pool: torch.Tensor,
    block_table: torch.Tensor,
    seq_lens: torch.Tensor,
    cu_seqlens_q: torch.Tensor,
    window: int | None = None,
) -> None:
    """As `check_decode`, for the new tokens of a ragged batch."""
    _tensors(q, k_pool, v_pool, block_table, seq_lens, window)
    _integers("cu_seqlens_q", cu_seqlens_q, q)
    if cu_seqlens_q.shape != (len(seq_lens) + 1,):
        raise ValueError(
            f"cu_seqlens_q has shape {list(cu_seqlens_q.shape)}: give one more than the "
            f"{len(seq_lens)} sequences, from 0 to the number of query rows"
        )
    if q.device.type != "cpu":
        return
    _values(k_pool, block_table, seq_lens)
    starts = cu_seqlens_q.tolist()
    if starts[0] != 0 or starts[-1] != q.shape[0]:
        raise ValueError(
            f"cu_seqlens_q runs from {starts[0]} to {starts[-1]}: it must run from 0 to the "
            f"{q.shape[0]} rows of q"
        )
    for b, (new, keys) in enumerate(zip(cu_seqlens_q.diff().tolist(), seq_lens.tolist())):  # noqa: B905
        if new < 0:
            raise ValueError(f"cu_seqlens_q falls at sequence {b}: it must never fall")
        if new > keys:
            raise ValueError(
                f"sequence {b} has {new} new tokens and seq_lens {keys}: seq_lens counts all "
                "keys, the new tokens' own among them"
            )


def _tensors(q, k_pool, v_pool, block_table, seq_lens, window) -> None:
    if q.ndim != 3:
        raise ValueError(f"q has shape {list(q.shape)}: give [tokens, heads, dim]")
    if k_pool.ndim != 4 or k_pool.shape != v_pool.shape:
        raise ValueError(
            f"the pools are {list(k_pool.shape)} and {list(v_pool.shape)}: give two of "
            "[blocks, block_size, kv_heads, dim]"
        )
    if q.dtype not in DTYPES:
        raise TypeError(f"q is {q.dtype}: give float32, float16 or bfloat16")
    for name, tensor in (("k_pool", k_pool), ("v_pool", v_pool)):
        if tensor.dtype != q.dtype:
            raise TypeError(f"{name} is {tensor.dtype}, q is {q.dtype}: convert one of them")
        if tensor.device != q.device:
            raise ValueError(f"{name} is on {tensor.device}, q on {q.device}: move one of them")
        if tensor.stride(-1) != 1 and tensor.shape[-1] > 1:
            raise ValueError(f"{name}'s last dimension has stride {tensor.stride(-1)}: make it 1")
    if q.shape[2] != k_pool.shape[3]:
        raise ValueError(f"q has dim {q.shape[2]}, the pools {k_pool.shape[3]}: they must match")
    heads, kv_heads = q.shape[1], k_pool.shape[2]
    if kv_heads == 0 or heads % kv_heads:
        raise ValueError(
            f"{heads} query heads can't share {kv_heads} KV heads: make one a multiple"
        )
    _integers("block_table", block_table, q)
    _integers("seq_lens", seq_lens, q)
    if block_table.ndim != 2 or seq_lens.shape != block_table.shape[:1]:
        raise ValueError(
            f"block_table is {list(block_table.shape)} and seq_lens {list(seq_lens.shape)}: give "
            "[sequences, blocks] and [sequences]"
        )
    if window is not None and window < 1:
        raise ValueError(f"window={window}: give 1 or more keys, or None for all of them")


def _integers(name: str, tensor: torch.Tensor, q: torch.Tensor) -> None:
    if tensor.dtype not in (torch.int32, torch.int64):
        raise TypeError(f"{name} is {tensor.dtype}: give int32")
    if tensor.device != q.device:
        raise ValueError(f"{name} is on {tensor.device}, q on {q.device}: move one of them")


def _values(pool: torch.Tensor, table: torch.Tensor, lens: torch.Tensor) -> None:
    """Lengths within the table, and ids within the pool where a length reaches them."""
    if not len(lens):
        return
    blocks, page = pool.shape[:2]
    low, high = (int(x) for x in torch.aminmax(lens))
    if low < 0:
        raise ValueError(f"seq_lens has {low}: lengths are 0 or more")
    if high > table.shape[1] * page:
        raise ValueError(
            f"seq_lens has {high}, but {table.shape[1]} blocks of {page} hold "
            f"{table.shape[1] * page} tokens: give that sequence more blocks"
        )
    if high == 0:
        return
    low, high = (int(x) for x in torch.aminmax(table))
    if low >= 0 and high < blocks:  # whatever is used; else only what a length reaches counts
        return
    used = torch.arange(table.shape[1])[None, :] * page < lens[:, None]
    low, high = (int(x) for x in torch.aminmax(table[used]))
    if low < 0 or high >= blocks:
        wrong = low if low < 0 else high
        raise ValueError(f"block_table names block {wrong}: the pool has 0 … {blocks - 1}")
