"""What `bench paged` measures: problems of a decode step, for a CPU and for a GPU."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Case:
    """Sequences of equal length; `window`: keys that count, None for all.

    sets: of caches that a call goes over, stream: bytes that the bandwidth probe reads; more than
    any cache holds unless given, as a dry run does.
    """

    batch: int = 16
    length: int = 2048
    heads: int = 8
    kv_heads: int = 4
    dim: int = 64
    page: int = 16
    dtype: str = "float32"
    window: int | None = None
    device: str = "cpu"
    sets: int | None = None
    stream: int | None = None

    @property
    def kv_bytes(self) -> int:
        """Keys and values that one step reads."""
        keys = self.length if self.window is None else min(self.length, self.window)
        item = 4 if self.dtype == "float32" else 2
        return 2 * self.batch * keys * self.kv_heads * self.dim * item

    def __str__(self) -> str:
        wide = f", window {self.window}" if self.window else ""
        return (
            f"B={self.batch}, L={self.length}, Hq={self.heads}, Hkv={self.kv_heads}, "
            f"D={self.dim}, {self.dtype}{wide}"
        )

    def random(self, *size: int, seed: int = 0):
        """Random values on the case's device: half a gigabyte from a host would take seconds."""
        import torch

        g = torch.Generator(self.device).manual_seed(seed)
        made = torch.randn(size, generator=g, device=self.device)
        return made.to(getattr(torch, self.dtype))


@dataclass(frozen=True)
class Plan:
    """What `run` measures: `case` against peers, and the share of bandwidth of `case` and others.

    shares: what their metrics' names end in, and the case.
    """

    case: Case
    shares: tuple[tuple[str, Case], ...]


def plan(device: str) -> Plan:
    """A CPU's cases; a GPU's are larger by as much as its memory is faster."""
    if device == "cpu":
        case = Case()
        long = replace(case, batch=1, length=16384)
        wide = replace(case, dim=128, dtype="bfloat16")
        window = replace(case, window=512)
        return Plan(case, (("", case), ("_b1", long), ("_window", window), ("_d128_bf16", wide)))
    case = Case(32, 4096, 32, 8, 128, dtype="bfloat16", device=device)
    return Plan(case, (
        ("_b32_c4096", case), ("_b32_c4096_fp16", replace(case, dtype="float16")),
        ("_b32_c4096_d64", replace(case, dim=64)), ("_b1_c65536", replace(case, batch=1,
                                                                          length=65536)),
        ("_b128_c1024", replace(case, batch=128, length=1024)),
        ("_window", replace(case, batch=128, length=4096, window=512)),
    ))  # fmt: skip
