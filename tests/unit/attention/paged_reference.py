"""Paged attention in fp64, token by token through the block table, without any rung's code."""

import math
from dataclasses import dataclass

import torch

from .reference import tolerance


@dataclass
class Problem:
    """Sequences of `lens` keys in shuffled blocks; whatever is unused holds NaN."""

    q: torch.Tensor
    k_pool: torch.Tensor
    v_pool: torch.Tensor
    table: torch.Tensor
    lens: torch.Tensor
    starts: torch.Tensor | None = None

    @property
    def args(self):
        found = (self.q, self.k_pool, self.v_pool, self.table, self.lens)
        return found if self.starts is None else (*found, self.starts)


def problem(lens, *, new=None, heads=4, kv_heads=2, dim=16, page=4, dtype=torch.float32, seed=0):
    """A decode step of sequences with `lens` keys, or a prefill of `new` tokens of each."""
    g = torch.Generator().manual_seed(seed)
    need = [-(-n // page) for n in lens]
    blocks = torch.randperm(sum(need) + 3, generator=g).tolist()
    pools = [torch.full((len(blocks), page, kv_heads, dim), math.nan).to(dtype) for _ in "kv"]
    table = torch.full((len(lens), max([*need, 1]) + 1), 2**30, dtype=torch.int32)
    for b, n in enumerate(lens):
        mine = [blocks.pop() for _ in range(need[b])]
        table[b, : len(mine)] = torch.tensor(mine, dtype=torch.int32)
        for t in range(n):
            for pool in pools:
                pool[mine[t // page], t % page] = torch.randn(kv_heads, dim, generator=g).to(dtype)
    tokens = len(lens) if new is None else sum(new)
    q = torch.randn(tokens, heads, dim, generator=g).to(dtype)
    starts = None
    if new is not None:
        starts = torch.tensor([0, *torch.tensor(new).cumsum(0).tolist()], dtype=torch.int32)
    return Problem(q, *pools, table, torch.tensor(lens, dtype=torch.int32), starts)


def paged_reference(p, *, scale=None, window=None):
    """One query at a time: look its keys up, weigh them, sum; a query that sees none gives 0."""
    page, groups = p.k_pool.shape[1], p.q.shape[1] // p.k_pool.shape[2]
    scale = 1 / math.sqrt(p.q.shape[-1]) if scale is None else scale
    out = torch.zeros(p.q.shape, dtype=torch.float64)
    for b, n in enumerate(p.lens.tolist()):
        rows = [b] if p.starts is None else range(*p.starts[b : b + 2].tolist())
        for i, row in enumerate(rows):
            position = n - len(rows) + i
            oldest = 0 if window is None else max(0, position - window + 1)
            seen = range(oldest, position + 1)
            if not seen:
                continue
            for h in range(p.q.shape[1]):
                at = [(int(p.table[b, t // page]), t % page, h // groups) for t in seen]
                keys = torch.stack([p.k_pool[a].double() for a in at])
                values = torch.stack([p.v_pool[a].double() for a in at])
                weights = torch.softmax((keys @ p.q[row, h].double()) * scale, 0)
                out[row, h] = weights @ values
    return out


def paged_tolerance(p, scale=None):
    """As `reference.tolerance`, from random inputs of the problem's dtype and head size."""
    g = torch.Generator().manual_seed(1)
    most = max(1, int(p.lens.max()) if len(p.lens) else 1)
    shape = (1, p.q.shape[1], min(most, 24), p.q.shape[2])
    q, k, v = (torch.randn(shape, generator=g).to(p.q.dtype) for _ in range(3))
    return tolerance(q, k, v, scale=scale)
