"""Memory: bytes/s read beyond the last-level cache, and bytes/s of fresh pages."""

from __future__ import annotations

from pathlib import Path

from constraintlab.limits.estimate import Estimate
from constraintlab.limits.probes.timing import repeat

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def last_level_cache(root: Path = _CACHES) -> int:
    """Bytes of the last-level cache; 32 MiB is assumed where the system doesn't say."""
    sizes = []
    for file in root.glob("index*/size"):
        text = file.read_text().strip()
        scale = {"K": 1024, "M": 1024**2}.get(text[-1:], 1)
        sizes.append(int(text.rstrip("KMB")) * scale)
    return max(sizes, default=32 * 1024**2)


def read_size(available: int, cache: int | None = None) -> int:
    """Bytes to stream: four times the cache, 512 MiB or more, an eighth of memory at most.

    A virtual machine seldom says how much cache its cores really share, hence the least.
    """
    wanted = max(4 * (last_level_cache() if cache is None else cache), 512 * 1024**2)
    return min(wanted, available // 8)


def bandwidth(available: int, device: str = "cpu", budget: float = 0.4) -> Estimate:
    """Bytes/s to and from memory that no cache holds, every core moving its part.

    The better of two patterns, as STREAM reports several (McCalpin 1995): reading alone, and an
    update in place, which many machines move faster since reads and writes overlap.
    available: bytes of memory that the probe may assume are free.
    """
    import torch

    wait = torch.cuda.synchronize if device != "cpu" else (lambda: None)
    # A GPU has moved a CPU's size before the host has asked whether it is done.
    n = read_size(available) // 8 * (1 if device == "cpu" else 4)
    one, other = torch.zeros(n, device=device), torch.zeros(n, device=device)

    def read():
        one.sum()
        other.sum()
        wait()

    def update():
        one.add_(other)
        wait()

    found = (
        Estimate.of([nbytes / s for s in repeat(call, budget=budget / 2)], "B/s")
        for call, nbytes in ((read, 8 * n), (update, 12 * n))
    )
    return max(found, key=lambda e: e.value)


def fresh_pages(available: int, budget: float = 0.6, size: int = 128 * 1024**2) -> Estimate:
    """Bytes/s at which new memory is handed out, first touched and given back.

    The time of writing a newly allocated buffer of `size` bytes less that of writing the same
    buffer again.
    """
    import torch

    n = min(size, available // 8) // 4
    kept = torch.empty(n)

    def fresh():
        torch.empty(n).fill_(0.0)

    again = repeat(lambda: kept.fill_(0.0), budget=budget / 4)
    first = repeat(fresh, budget=budget)
    write = sorted(again)[len(again) // 2]
    extra = [s - write for s in first if s > write]
    if len(extra) < len(first) // 2 or not extra:
        return Estimate.absent("B/s", "new memory costs nothing measurable here")
    return Estimate.of([4 * n / s for s in extra], "B/s")
