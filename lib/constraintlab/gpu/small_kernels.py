"""One small launch of each of our Triton kernels, off every tile, for compute-sanitizer.

`python -m constraintlab.gpu.small_kernels`: needs an NVIDIA GPU.
"""

from __future__ import annotations

from collections.abc import Callable

import torch


def _dense(module: str):
    from importlib import import_module

    attend = import_module(f"constraintlab.attention.{module}").attend
    for dtype in (torch.float16, torch.bfloat16):
        for queries, keys, dim in ((1, 1, 64), (65, 130, 128)):
            q = torch.randn(1, 4, queries, dim, device="cuda", dtype=dtype)
            k, v = (torch.randn(1, 2, keys, dim, device="cuda", dtype=dtype) for _ in "kv")
            attend(q, k, v)


def _pools(lens: list[int], page: int = 16, dim: int = 128):
    """Exactly the blocks that `lens` need, so that one past the last is out of bounds."""
    need = [-(-n // page) for n in lens]
    pools = [
        torch.randn(sum(need), page, 2, dim, device="cuda", dtype=torch.bfloat16) for _ in "kv"
    ]
    table, at = torch.zeros(len(lens), max(need), dtype=torch.int32), 0
    for row, n in zip(table, need, strict=True):
        row[:n] = torch.arange(at, at + n)
        at += n
    return *pools, table.cuda(), torch.tensor(lens, dtype=torch.int32, device="cuda")


def _decode() -> None:
    from constraintlab.attention.paged_triton import attend_paged

    for lens, splits in (([1, 16, 17, 300], None), ([300], 1)):
        q = torch.randn(len(lens), 8, 128, device="cuda", dtype=torch.bfloat16)
        attend_paged(q, *_pools(lens), splits=splits)
        attend_paged(q, *_pools(lens), window=5, splits=splits)


def _prefill() -> None:
    from constraintlab.attention.paged_prefill_triton import prefill_paged

    lens, new = [70, 3, 16], [66, 3, 1]
    starts = torch.tensor([0, 66, 69, 70], dtype=torch.int32, device="cuda")
    q = torch.randn(sum(new), 8, 128, device="cuda", dtype=torch.bfloat16)
    prefill_paged(q, *_pools(lens), starts)


CALLS: dict[str, Callable[[], object]] = {
    "fused": lambda: _dense("fused_triton"),
    "flash": lambda: _dense("flash_triton"),
    "paged decode": _decode,
    "paged prefill": _prefill,
}


def main() -> None:
    """Each kernel, one after the other; an error of the GPU shows at the next wait for it."""
    for name, call in CALLS.items():
        call()
        torch.cuda.synchronize()
        print(name, "ran", flush=True)


if __name__ == "__main__":
    main()
