"""What the CPU twins share: a few heads at a time, in a dtype that this CPU multiplies fast."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import torch

from constraintlab.attention.rung import Shape


def products_in(dtype: torch.dtype) -> torch.dtype:
    """`dtype`, or float32 where this CPU has no instructions for products in `dtype`.

    Without them a product in bf16 or fp16 runs fifty times slower than in fp32, so converting a
    few heads of q, k and v is cheap. torch's oneDNN knows; where it is absent, fp32 is safe.
    """
    name = {torch.bfloat16: "bf16", torch.float16: "fp16"}.get(dtype)
    if name is None:
        return dtype
    return dtype if _supported(name) else torch.float32


@cache
def _supported(name: str) -> bool:
    try:
        return bool(getattr(torch.ops.mkldnn, f"_is_mkldnn_{name}_supported")())
    except (AttributeError, RuntimeError):
        return False


@dataclass(frozen=True)
class Heads:
    """A few KV heads with the query heads that share them.

    q, out [heads, group, Tq, D]; k_t [heads, D, Tk], v [heads, Tk, D]. Products are computed
    in q's dtype; writing into `out` converts to the inputs'.
    """

    q: torch.Tensor
    k_t: torch.Tensor
    v: torch.Tensor
    out: torch.Tensor

    def rows(self, first: int, last: int) -> torch.Tensor:
        """Queries first..last of every head, [heads, group · (last − first), D]."""
        return self.q[:, :, first:last].flatten(1, 2)

    def write(self, first: int, last: int, rows: torch.Tensor) -> None:
        """Put [heads, group · (last − first), D] where the queries first..last belong."""
        self.out[:, :, first:last] = rows.unflatten(1, (self.q.shape[1], last - first))


def some_heads(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, out: torch.Tensor, most: int
) -> Iterator[Heads]:
    """Sequences and KV heads in turn, about `most` query heads at a time; `out` is contiguous."""
    kv_heads, group = k.shape[1], q.shape[1] // k.shape[1]
    q = q.unflatten(1, (kv_heads, group)).flatten(0, 1)
    k, v = k.flatten(0, 1), v.flatten(0, 1)
    out = out.view(q.shape)
    at_once = max(1, most // group)
    low = products_in(q.dtype)
    for h in range(0, len(k), at_once):
        part = slice(h, h + at_once)
        yield Heads(q[part].to(low), k[part].to(low).mT, v[part].to(low), out[part])


def diagonal(block: int, dtype: torch.dtype) -> torch.Tensor:
    """[block, block]: −∞ above the diagonal, else 0: the causal mask of any block that meets it."""
    return torch.full((block, block), -torch.inf, dtype=dtype).triu_(1)


@dataclass(frozen=True)
class Cut:
    """How a rung cuts a problem: `block` queries at a time, against tiles of `tile` keys.

    tile 1: it stops at the very key that a block's last query sees. skips: under a causal mask it
    stops there at all.
    """

    block: int
    tile: int = 1
    skips: bool = True

    def scores(self, queries: int, keys: int, causal: bool) -> int:
        """Scores of one head that are computed, those in vain too; none beyond the last key.

        Half of queries · keys for long causal prompts, and half a block and a tile a row more.
        """
        if not (causal and self.skips):
            return queries * keys
        past, found = keys - queries, 0
        for first in range(0, queries, self.block):
            last = min(first + self.block, queries)
            seen = -(-max(0, last + past) // self.tile) * self.tile
            found += (last - first) * min(keys, seen)
        return found


def converted_bytes(shape: Shape, most: int) -> int:
    """Bytes of the heads that `some_heads` converts to a dtype that this CPU multiplies fast.

    Those of two turns, if there are two: the next are made while the last are still held.
    """
    if products_in(shape.dtype) == shape.dtype:
        return 0
    group = shape.heads // shape.kv_heads
    kv_heads = min(2 * max(1, most // group), shape.batch * shape.kv_heads)
    return kv_heads * (group * shape.queries + 2 * shape.keys) * shape.dim * 4
