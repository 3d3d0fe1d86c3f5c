"""Calls whose work is known by hand, to hold a GPU's own counters against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

GIB = 1024**3

TENSOR_FLOPS = {(9, 0): 4096, (10, 0): 8192}
"""Dense 16-bit FLOPs of one multiprocessor in one clock, by compute capability: the datasheets'
FLOP/s over processors and boost clock (H100 SXM: 989 T over 132 × 1.83 GHz; B200: 2.25 P over
148 × 1.86 GHz)."""


@dataclass(frozen=True)
class Known:
    """bytes: to and from memory, flops: of one call."""

    name: str
    call: Callable[[], object]
    bytes: float = 0.0
    flops: float = 0.0


def copy(device: str, size: int) -> Known:
    """`size` bytes read and as many written, from end to end of two buffers."""
    import torch

    one = torch.zeros(size, dtype=torch.int8, device=device)
    other = torch.empty_like(one)
    return Known("copy", lambda: other.copy_(one), bytes=2.0 * size)


def product(device: str, n: int, dtype: str = "bfloat16") -> Known:
    """An n×n matrix product: 2·n³ FLOPs."""
    import torch

    kind = getattr(torch, dtype)
    a, b = (torch.randn(n, n, device=device).to(kind) for _ in range(2))
    out = torch.empty_like(a)
    return Known("product", lambda: torch.mm(a, b, out=out), flops=2.0 * n**3)


def one_block(device: str) -> Known:
    """A single thread that waits: some kernel is resident, and nothing of the GPU works."""
    import torch

    cycles = 10_000_000  # a few milliseconds
    return Known("one block", lambda: torch.cuda._sleep(cycles))


def attention(device: str, rung: str, tokens: int, heads: int = 16, dim: int = 64) -> Known:
    """One layer's prefill by a rung in 16 bits; FLOPs over the scores that count."""
    import torch

    from constraintlab.attention import flash, naive
    from constraintlab.attention.rung import Shape

    kind = torch.bfloat16 if device == "cuda" else torch.float32
    shape = Shape.square(tokens, heads=heads, dim=dim, dtype=kind, device=device)
    q, k, v = shape.inputs()
    attend = {"naive": naive, "flash": flash}[rung].attend
    return Known(rung, lambda: attend(q, k, v), flops=shape.useful_flops)


def peak_bandwidth(index: int = 0) -> tuple[float | None, str]:
    """(bytes/s that the memory's clock and width allow, "") or (None, why NVML can't say).

    Two transfers a clock, as double data rate has it: H100 SXM, 2,619 MHz × 5,120 bits: 3.35 TB/s.
    """
    from constraintlab.telemetry.nvml_errors import MISSING, reason

    try:
        import pynvml
    except ImportError:
        return None, MISSING
    try:
        pynvml.nvmlInit()
        try:
            device = pynvml.nvmlDeviceGetHandleByIndex(index)
            megahertz = pynvml.nvmlDeviceGetMaxClockInfo(device, pynvml.NVML_CLOCK_MEM)
            return 2e6 * megahertz * pynvml.nvmlDeviceGetMemoryBusWidth(device) / 8, ""
        finally:
            pynvml.nvmlShutdown()
    except (pynvml.NVMLError, AttributeError) as error:
        return None, reason(error)
