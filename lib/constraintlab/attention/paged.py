"""The paged rung: keys and values lie in blocks of a pool, found through a block table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec

import torch

from constraintlab.attention import paged_gather
from constraintlab.attention.backends import AUTO, Backend, Choice, choose
from constraintlab.attention.paged_check import check_decode, check_prefill
from constraintlab.attention.rung import Availability, cpu_only, cuda_only, total
from constraintlab.limits.work import Kernel, Work


@dataclass(frozen=True)
class PagedShape:
    """A paged problem: `queries` rows over `keys` keys in all (of all sequences together)."""

    queries: int
    keys: int
    heads: int
    kv_heads: int
    dim: int
    dtype: torch.dtype = torch.float32
    device: str = "cpu"

    @property
    def unit(self) -> str:
        """The compute capacity its products are counted in."""
        return str(self.dtype).removeprefix("torch.")


def _later(module: str, function: str):
    """A call that imports its module when it is made: Triton and numba are slow to load."""

    def call(*args, **options):
        return getattr(import_module(f"constraintlab.attention.{module}"), function)(
            *args, **options
        )

    return call


def _lacks_numba(shape: PagedShape) -> str:
    return cpu_only(shape) or ("" if find_spec("numba") else "numba is not installed")


GATHER = "gather"
RUNGS = ("naive", "workspace", "fused", "flash")
"""Older rungs that prefill can be asked to use, so that an engine shows what each is worth."""
DECODE = (
    Backend("triton", cuda_only, _later("paged_triton", "attend_paged"), own=True),
    Backend("numba", _lacks_numba, _later("paged_numba", "attend_paged"), own=True),
    Backend(GATHER, lambda shape: "", paged_gather.attend_paged),
)
PREFILL = (
    Backend("triton", cuda_only, _later("paged_prefill_triton", "prefill_paged"), own=True),
    Backend("cpu", cpu_only, _later("paged_cpu", "prefill_paged"), own=True),
    Backend(GATHER, lambda shape: "", paged_gather.prefill_paged),
    *(
        Backend(rung, lambda shape: "", partial(_later("paged_rungs", "prefill_paged"), rung=rung))
        for rung in RUNGS
    ),
)


def attend_paged(
    q: torch.Tensor,
    k_pool: torch.Tensor,
    v_pool: torch.Tensor,
    block_table: torch.Tensor,
    seq_lens: torch.Tensor,
    *,
    scale: float | None = None,
    window: int | None = None,
    backend: str = AUTO,
) -> torch.Tensor:
    """Decode: each sequence's newest token attends to the keys its block table lists.

    q [B, Hq, D]; pools [n_blocks, block_size, Hkv, D], Hq a multiple of Hkv; block_table int32
    [B, max_blocks]; seq_lens int32 [B], the newest token counted. Token n of sequence b is in
    slot n % block_size of block block_table[b, n // block_size]; slots past seq_lens are never
    read and may hold anything. scale: 1/√D unless given. window: only the newest so many keys
    count. backend: `triton`, `numba`, `gather`, or `own` for ours on this device. Returns
    [B, Hq, D]; a sequence of length 0 gives 0. Raises ValueError or TypeError that name the
    fix. Source: PagedAttention, SOSP'23.
    """
    check_decode(q, k_pool, v_pool, block_table, seq_lens, window)
    call = _chosen(DECODE, q.device.type, q.dtype, q.shape[2], backend)
    return call(q, k_pool, v_pool, block_table, seq_lens, scale=scale, window=window)


def unchecked(q: torch.Tensor, backend: str = AUTO):
    """`attend_paged` for inputs like q without its checks: for all layers of a step but one."""
    return _chosen(DECODE, q.device.type, q.dtype, q.shape[2], backend)


def prefill_paged(
    q: torch.Tensor,
    k_pool: torch.Tensor,
    v_pool: torch.Tensor,
    block_table: torch.Tensor,
    seq_lens: torch.Tensor,
    cu_seqlens_q: torch.Tensor,
    *,
    scale: float | None = None,
    window: int | None = None,
    backend: str = AUTO,
) -> torch.Tensor:
    """Prefill of a ragged batch: new tokens attend to their sequence's keys, causally.

    q [total_q, Hq, D]: the new tokens of sequence b are rows cu_seqlens_q[b] to
    cu_seqlens_q[b + 1] (int32 [B + 1], FlashAttention's varlen convention). seq_lens counts all
    keys of a sequence, the new tokens' own among them, which are in the pools already. The rest
    as in `attend_paged`; backend: `triton`, `cpu`, `gather`, `own`, or one of `RUNGS`.
    """
    check_prefill(q, k_pool, v_pool, block_table, seq_lens, cu_seqlens_q, window)
    call = _chosen(PREFILL, q.device.type, q.dtype, q.shape[2], backend)
    return call(q, k_pool, v_pool, block_table, seq_lens, cu_seqlens_q, scale=scale, window=window)


@cache
def _chosen(backends, device, dtype, dim, wanted):
    """The backend's call: a decode step is too short to choose anew each time."""
    shape = PagedShape(1, 1, 1, 1, dim, dtype, device)
    return choose(backends, shape, wanted).backend.call


def choice(shape: PagedShape, backend: str = AUTO, *, prefill: bool = False) -> Choice:
    """Which backend runs `shape`, and why the others don't."""
    return choose(PREFILL if prefill else DECODE, shape, backend)


def kernels(shape: PagedShape) -> tuple[Kernel, ...]:
    """The work of a decode step: every key and value read once, two FLOPs a value and head each."""
    item = shape.dtype.itemsize
    kv = 2 * shape.keys * shape.kv_heads * shape.dim * item
    ends = 2 * shape.queries * shape.heads * shape.dim * item
    flops = 4.0 * shape.keys * shape.heads * shape.dim
    return (
        Kernel("paged decode", Work(flops, kv + ends), unit=shape.unit),
        Kernel("softmax", Work(float(shape.keys * shape.heads)), unit="exp"),
    )


def work(shape: PagedShape) -> Work:
    """FLOPs and bytes of a decode step."""
    return total(kernels(shape))


def availability(device: str = "cpu") -> Availability:
    """Whether a decode backend runs on `device`, which, and why the others don't."""
    shape = PagedShape(1, 1, 1, 1, 64, torch.float16, device)
    found = choose(DECODE, shape)
    passed = "; ".join(f"{name}: {why}" for name, why in found.others.items())
    return Availability(True, found.backend.name, passed)
