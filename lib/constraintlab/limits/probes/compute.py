"""Compute: FLOP/s of a large matrix product per dtype, and exponentials/s of a softmax."""

from __future__ import annotations

import time
from collections.abc import Callable

from constraintlab.limits.estimate import Estimate
from constraintlab.limits.probes.timing import repeat

DTYPES = ("float32", "bfloat16", "float16")
LARGEST = {"cpu": 2048, "cuda": 8192}
"""By device: a GPU does the product of 2048 in less time than it takes to launch it and wait."""

SLOW = 0.6
"""Seconds: a product that takes longer is not tried at twice the size (emulated dtypes)."""


def matrix_product(
    dtype: str, device: str = "cpu", budget: float = 0.4, largest: int | None = None
) -> Estimate:
    """FLOP/s of the largest n×n product, n ≤ `largest`, that runs in well under a second. largest:
    the device's own unless given.

    A CPU without bf16 instructions multiplies bf16 hundreds of times slower than fp32, so the
    size grows only while the product stays quick.
    """
    import torch

    kind = getattr(torch, dtype)
    wait = torch.cuda.synchronize if device != "cpu" else _nothing
    n, largest = 64, largest or LARGEST[device]
    try:
        while True:
            a = torch.randn(n, n, device=device).to(kind)
            b = torch.randn(n, n, device=device).to(kind)
            out = torch.empty(n, n, device=device, dtype=kind)

            def product(a=a, b=b, out=out):
                torch.mm(a, b, out=out)
                wait()

            product()
            if n >= largest or not _quick(product):
                break
            n *= 2
    except RuntimeError as error:
        return Estimate.absent("FLOP/s", f"{dtype} products don't run here: {error}")
    return Estimate.of([2 * n**3 / s for s in repeat(product, budget=budget, least=3)], "FLOP/s")


def exponentials(device: str = "cpu", budget: float = 0.3) -> Estimate:
    """Exponentials/s of a row softmax over 4 MB of fp32 (a GPU: 32 MB) that stays in cache."""
    import torch

    wait = torch.cuda.synchronize if device != "cpu" else _nothing
    rows = 256 if device == "cpu" else 2048  # a GPU's cache is larger, and its launches count
    x = torch.randn(rows, 4096, device=device)
    out = torch.empty_like(x)

    def softmax():
        for _ in range(8):
            torch.softmax(x, -1, out=out)
        wait()

    return Estimate.of([8 * x.numel() / s for s in repeat(softmax, budget=budget)], "exp/s")


def _quick(product: Callable[[], object]) -> bool:
    """Whether one eight times as long would take less than SLOW. The best of three tries: one that
    a neighbour's turn on the core held up would end the growth at a size that has no meaning."""
    for _ in range(3):
        start = time.perf_counter()
        product()
        if (time.perf_counter() - start) * 8 <= SLOW:
            return True
    return False


def _nothing() -> None:
    """A CPU product is finished when the call returns."""
