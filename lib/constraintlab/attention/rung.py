"""What every rung shares: the shape of its problem, whether it can run here, its input checks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.util import find_spec

import torch

from constraintlab.attention.backends import Backend, choose
from constraintlab.limits.work import Kernel, Work


@dataclass(frozen=True)
class Shape:
    """An attention problem: q [batch, heads, queries, dim], k, v [batch, kv_heads, keys, dim]."""

    batch: int
    heads: int
    kv_heads: int
    queries: int
    keys: int
    dim: int
    dtype: torch.dtype = torch.float32
    device: str = "cpu"
    causal: bool = True

    @classmethod
    def square(cls, s: int, *, heads: int = 8, dim: int = 64, **other) -> Shape:
        """Self-attention over a prompt of `s` tokens, one sequence, as many KV heads as heads."""
        return cls(1, heads, heads, s, s, dim, **other)

    @classmethod
    def of(cls, q: torch.Tensor, k: torch.Tensor, causal: bool = True) -> Shape:
        (b, hq, tq, d), (_, hkv, tk, _) = q.shape, k.shape
        return cls(b, hq, hkv, tq, tk, d, q.dtype, q.device.type, causal)

    def at(self, s: int) -> Shape:
        """The same problem over `s` tokens."""
        return replace(self, queries=s, keys=s)

    def inputs(self, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Random q, k, v of this shape; equal for equal seeds."""
        g = torch.Generator().manual_seed(seed)
        sizes = [(self.heads, self.queries), (self.kv_heads, self.keys), (self.kv_heads, self.keys)]
        return tuple(
            torch.randn(self.batch, h, t, self.dim, generator=g).to(self.device, self.dtype)
            for h, t in sizes
        )

    @property
    def unit(self) -> str:
        """The compute capacity its products are counted in, e.g. `bfloat16`."""
        return str(self.dtype).removeprefix("torch.")

    @property
    def scores(self) -> int:
        """Elements of the full score matrix, batch · heads · queries · keys."""
        return self.batch * self.heads * self.queries * self.keys

    @property
    def score_bytes(self) -> int:
        """Bytes of one S×S temporary."""
        return self.scores * self.dtype.itemsize

    @property
    def tokens(self) -> int:
        """Query tokens attended by one call: what labs 00–03 count as throughput."""
        return self.batch * self.queries

    @property
    def useful_scores(self) -> int:
        """Scores that the causal mask (aligned bottom-right) keeps; all of them without it."""
        if not self.causal:
            return self.scores
        first = self.keys - self.queries + 1
        seen = sum(max(0, min(self.keys, first + i)) for i in range(self.queries))
        return self.batch * self.heads * seen

    @property
    def useful_flops(self) -> float:
        """FLOPs of the two products over the scores that count."""
        return 4.0 * self.useful_scores * self.dim

    def __str__(self) -> str:
        heads = f"H {self.heads}" + (f"/{self.kv_heads}" if self.kv_heads != self.heads else "")
        length = f"S {self.queries}"
        if self.queries != self.keys:
            length = f"Tq {self.queries}, Tk {self.keys}"
        return f"{heads}, D {self.dim}, {length}, {self.unit}"


MMAP_FROM = 32 * 1024**2
"""glibc maps blocks from this size on anew each time, and returns them at once (mallopt(3),
M_MMAP_THRESHOLD: at most 32 MiB on 64-bit systems); smaller ones keep their pages."""


def fresh(nbytes: float, device: str) -> float:
    """How many bytes of a new allocation of `nbytes` are touched for the first time.

    All of a large block on a CPU; none of a small one, and none on a GPU, whose caching
    allocator keeps what it once had.
    """
    return float(nbytes) if device == "cpu" and nbytes >= MMAP_FROM else 0.0


@dataclass(frozen=True)
class Availability:
    """Whether a rung runs on this machine, through which backend, and why not if it doesn't."""

    ok: bool
    backend: str
    reason: str = ""


def cpu_only(shape) -> str:
    """What `shape` lacks for a backend that runs on a CPU only."""
    return "" if shape.device == "cpu" else f"runs on a CPU, the tensors are on {shape.device}"


def cuda_only(shape) -> str:
    """What `shape` or this machine lacks for a Triton kernel or a CUDA library."""
    if not torch.cuda.is_available():
        return "no NVIDIA GPU here"
    if shape.device != "cuda":
        return f"runs on a GPU, the tensors are on {shape.device}"
    return "" if find_spec("triton") else "Triton is not installed"


def availability_of(backends: tuple[Backend, ...], device: str) -> Availability:
    """Whether one of `backends` runs a small problem on `device`, which, and why not the others."""
    small = Shape(1, 1, 1, 16, 16, 64, torch.float16, device)
    try:
        chosen = choose(backends, small)
    except ValueError as error:
        return Availability(False, "none", str(error))
    passed = "; ".join(f"{name}: {why}" for name, why in chosen.others.items())
    return Availability(True, chosen.backend.name, passed)


def check(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> None:
    """Raises ValueError or TypeError, naming the fix, for inputs that no rung accepts."""
    for name, tensor in (("q", q), ("k", k), ("v", v)):
        if tensor.ndim != 4:
            raise ValueError(
                f"{name} has shape {list(tensor.shape)}: give [batch, heads, tokens, dim]"
            )
        if not tensor.dtype.is_floating_point:
            raise TypeError(f"{name} is {tensor.dtype}: give float32, float16 or bfloat16")
        if tensor.dtype != q.dtype:
            raise TypeError(f"{name} is {tensor.dtype}, q is {q.dtype}: convert one of them")
        if tensor.device != q.device:
            raise ValueError(f"{name} is on {tensor.device}, q on {q.device}: move one of them")
    (b, hq, _, d), (bk, hkv, _, dk) = q.shape, k.shape
    if k.shape != v.shape:
        raise ValueError(f"k is {list(k.shape)} and v {list(v.shape)}: they need the same shape")
    if (b, d) != (bk, dk):
        raise ValueError(f"q is {list(q.shape)} and k {list(k.shape)}: batch and dim must match")
    if hkv == 0 or hq % hkv:
        raise ValueError(f"{hq} query heads can't share {hkv} KV heads: make one a multiple")


def total(kernels: Iterable[Kernel]) -> Work:
    """One call's FLOPs, bytes and fresh bytes; only products count as FLOPs, as in the papers."""
    whole = Work()
    for k in kernels:
        whole += k.each if k.unit != "exp" else Work(0, k.each.bytes, k.each.fresh)
    return whole
