"""One small launch of each of our Triton kernels, off every tile, for compute-sanitizer.

`python -m constraintlab.gpu.small_kernels`: needs an NVIDIA GPU. Under Triton's interpreter the
calls take the device `cpu`, which a test uses to know that they are right.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import torch


def dense(device: str, module: str) -> None:
    """A dense rung: one token, and queries and keys that end one into a tile."""
    attend = import_module(f"constraintlab.attention.{module}").attend
    for dtype in _dtypes(device):
        for queries, keys, dim in ((1, 1, 64), (65, 130, 128)):
            q = torch.randn(1, 4, queries, dim, device=device, dtype=dtype)
            k, v = (torch.randn(1, 2, keys, dim, device=device, dtype=dtype) for _ in "kv")
            attend(q, k, v)


def decode(device: str) -> None:
    """Sequences of one token, one block, one more, and so many that they are split; windows."""
    from constraintlab.attention.paged_triton import attend_paged

    for dtype in _dtypes(device):
        for lens, splits in (([1, 16, 17, 300], None), ([300], 1)):
            q = torch.randn(len(lens), 8, 128, device=device, dtype=dtype)
            for window in (None, 5):
                attend_paged(q, *pools(device, dtype, lens), window=window, splits=splits)


def prefill(device: str) -> None:
    """A prompt, a whole short one, and a single token, in one call."""
    from constraintlab.attention.paged_prefill_triton import prefill_paged

    lens, starts = [70, 3, 16], torch.tensor([0, 66, 69, 70], dtype=torch.int32, device=device)
    for dtype in _dtypes(device):
        q = torch.randn(70, 8, 128, device=device, dtype=dtype)
        for window in (None, 5):
            prefill_paged(q, *pools(device, dtype, lens), starts, window=window)


def pools(device: str, dtype: torch.dtype, lens: list[int], page: int = 16, dim: int = 128):
    """(k, v, table, lens) with exactly the blocks that `lens` need: one past the last block is out
    of bounds."""
    need = [-(-n // page) for n in lens]
    kv = [torch.randn(sum(need), page, 2, dim, device=device, dtype=dtype) for _ in "kv"]
    table, at = torch.zeros(len(lens), max(need), dtype=torch.int32), 0
    for row, n in zip(table, need, strict=True):
        row[:n] = torch.arange(at, at + n)
        at += n
    return *kv, table.to(device), torch.tensor(lens, dtype=torch.int32, device=device)


def _dtypes(device: str) -> tuple[torch.dtype, ...]:
    """Triton's interpreter computes bf16 on raw bits."""
    return (torch.float16, torch.bfloat16) if device == "cuda" else (torch.float16,)


CALLS: dict[str, tuple[Callable[..., None], tuple[str, ...]]] = {
    "fused": (dense, ("fused_triton",)),
    "flash": (dense, ("flash_triton",)),
    "paged decode": (decode, ()),
    "paged prefill": (prefill, ()),
}
"""Name → a function and what it takes after the device."""


def main() -> None:
    """Each kernel, one after the other; an error of the GPU shows at the next wait for it."""
    for name, (call, arguments) in CALLS.items():
        call("cuda", *arguments)
        torch.cuda.synchronize()
        print(name, "ran", flush=True)


if __name__ == "__main__":
    main()
