"""Memory, observed: the most that a call holds at once, and where it runs out."""

from __future__ import annotations

import ctypes
import json
import mmap
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from constraintlab.attention import naive
from constraintlab.attention.rung import Shape

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_STATM, _PAGE = Path("/proc/self/statm"), mmap.PAGESIZE


def _status(field: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise OSError(f"no {field} in {_STATUS}")


def _own() -> int:
    """Bytes of this process's own memory that are resident, without the files that it maps."""
    try:
        pages = _STATM.read_text().split()
        return (int(pages[1]) - int(pages[2])) * _PAGE
    except OSError:
        import psutil

        return psutil.Process().memory_info().rss


def _give_back() -> None:
    """Have glibc return what it kept of freed blocks: used again, it would count as nothing new."""
    with suppress(OSError, AttributeError, TypeError):  # another C library has no malloc_trim
        ctypes.CDLL(None).malloc_trim(0)


def _peak_polled(call: Callable[[], object]) -> int:
    """The most that `_own` grows by during `call`, read every half millisecond."""
    done = threading.Event()
    before = highest = _own()

    def watch():
        nonlocal highest
        while not done.wait(0.0005):
            highest = max(highest, _own())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        call()
    finally:
        done.set()
        watcher.join()
    return highest - before


def peak(call: Callable[[], object], device: str = "cpu") -> int:
    """Bytes that `call` holds at its fullest moment, beyond what was held before it."""
    if device == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        return torch.cuda.max_memory_allocated() - before
    _give_back()
    try:
        _CLEAR.write_text("5")  # lets VmHWM, the resident peak, start again from now
        before = _status("VmRSS:")
    except OSError:
        return _peak_polled(call)
    # The mark misses nothing, but counts the libraries' pages too, and a system that takes some
    # of those back meanwhile makes it too low; polling counts ours alone, and may miss a moment.
    polled = _peak_polled(call)
    return max(polled, _status("VmHWM:") - before)


def faulted(call: Callable[[], object]) -> int | None:
    """Bytes of memory first touched by `call`, from its minor page faults; None on Windows."""
    try:
        import resource
    except ImportError:
        return None
    _give_back()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    call()
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    return faults * resource.getpagesize()


def largest_s(limit: int, shape: Shape) -> int:
    """The longest prompt whose naive attention fits in `limit` bytes beyond the inputs."""
    low, high = 1, 1 << 24
    while low < high:
        middle = (low + high + 1) // 2
        fits = naive.peak_bytes(shape.at(middle)) <= limit
        low, high = (middle, high) if fits else (low, middle - 1)
    return low


@dataclass(frozen=True)
class Ceiling:
    """Which prompts ran under a memory limit and which ran out; `why` if it can't be tried."""

    limit: int
    ran: tuple[int, ...]
    failed: tuple[int, ...]
    why: str = ""


_CHILD = """
import json, resource, sys
limit, heads, dim, lengths = json.loads(sys.argv[1])
import torch
torch.set_num_threads(1)
from constraintlab.attention import naive
from constraintlab.attention.rung import Shape
shape = Shape.square(64, heads=heads, dim=dim)
naive.attend(*shape.inputs())
ran, failed = [], []
for s in lengths:
    inputs = shape.at(s).inputs()
    held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + limit, resource.RLIM_INFINITY))
    try:
        naive.attend(*inputs)
        ran.append(s)
    except (RuntimeError, MemoryError):
        failed.append(s)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    del inputs
print(json.dumps([ran, failed]))
"""


def ceiling(limit: int, shape: Shape, lengths: Sequence[int]) -> Ceiling:
    """Try naive attention at each length in a process that may add only `limit` bytes.

    The process is a child with its address space capped, so that running out hurts nobody.
    """
    if not sys.platform.startswith("linux"):
        return Ceiling(limit, (), (), "only Linux lets a process cap its own memory")
    order = json.dumps([limit, shape.heads, shape.dim, list(lengths)])
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, order], capture_output=True, text=True, timeout=120
    )
    if done.returncode:
        return Ceiling(limit, (), (), f"the trial process failed: {done.stderr.strip()[-200:]}")
    ran, failed = json.loads(done.stdout.splitlines()[-1])
    return Ceiling(limit, tuple(ran), tuple(failed))
