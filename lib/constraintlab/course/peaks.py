"""The most that naive attention holds at once, seen in a process that has done nothing before."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

from constraintlab.attention import naive
from constraintlab.attention.rung import Shape
from constraintlab.course.memory import peak

_FRESH = """
import ctypes, json, sys
if sys.platform.startswith("linux"):
    try:
        ctypes.CDLL(None).mallopt(-3, 1 << 20)  # M_MMAP_THRESHOLD: larger blocks are not kept
    except AttributeError:
        pass
heads, dim, dtype, lengths = json.loads(sys.argv[1])
import torch
from constraintlab.attention import naive
from constraintlab.attention.rung import Shape
from constraintlab.course import memory
shape = Shape.square(64, heads=heads, dim=dim, dtype=getattr(torch, dtype))
naive.attend(*shape.inputs())
seen = []
for s in lengths:
    inputs = shape.at(s).inputs()
    seen.append(memory.peak(lambda: naive.attend(*inputs)))
print(json.dumps(seen))
"""


def peaks(shape: Shape, lengths: Sequence[int]) -> list[int]:
    """`peak` of naive attention at each length; on a CPU in a process of its own.

    What glibc keeps of freed blocks, and so how far its heap must grow for the next call, depends
    on all that a process did before: the same call was seen at 1.0, 1.2 or 1.4 times its bytes.
    Raises RuntimeError with the process's last words.
    """
    if shape.device != "cpu":
        return [_peak_at(shape.at(s)) for s in lengths]
    order = json.dumps([shape.heads, shape.dim, shape.unit, list(lengths)])
    done = subprocess.run(
        [sys.executable, "-c", _FRESH, order], capture_output=True, text=True, timeout=120
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise RuntimeError(f"the process that measures memory failed: {last[:300]}")
    return json.loads(done.stdout.splitlines()[-1])


def _peak_at(shape: Shape) -> int:
    inputs = shape.inputs()
    return peak(lambda: naive.attend(*inputs), shape.device)
