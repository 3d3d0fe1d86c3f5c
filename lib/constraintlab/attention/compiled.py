"""CPU kernels: compiled once a machine, and run on the threads that torch already has.

Two pools of threads on the same cores fight: torch's OpenMP threads spin for a while after each
operation, and a pool of our own that starts just then waits for them (a decode step took 4.5 ms
instead of 2.3 on two cores). numba's OpenMP layer finds torch's OpenMP library already loaded
and runs on its threads, so that is the layer asked for.
"""

from __future__ import annotations

import hashlib
import math
import os
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numba
import torch

from constraintlab.limits import cgroup
from constraintlab.limits.home import home

numba.config.THREADING_LAYER_PRIORITY = ["omp", "tbb", "workqueue"]

SHARED = 1 << 17
"""Values from which on several threads share a call: waking them takes some 20 µs."""

_forked = False
_one_at_a_time = threading.Lock()


def _in_child() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


@dataclass(frozen=True)
class Compiled:
    """A kernel whose first argument is how many threads share it; others are the caller's."""

    alone: Callable
    team: Callable

    def sized(self, values: int, *arguments) -> None:
        """A call that goes through so many values: few are one thread's work."""
        if values < SHARED:
            self.alone(1, *arguments)
        else:
            self(*arguments)

    def __call__(self, *arguments) -> None:
        wanted, threads = torch.get_num_threads(), workers()
        try:
            if threads == 1:
                self.alone(1, *arguments)
                return
            with _turn():
                before = numba.get_num_threads()
                numba.set_num_threads(threads)
                try:
                    self.team(threads, *arguments)
                finally:
                    numba.set_num_threads(before)
        finally:
            # numba sets OpenMP's number of threads, which is torch's, when its layer starts.
            if torch.get_num_threads() != wanted:
                torch.set_num_threads(wanted)


def compiled(function: Callable, *sources: str) -> Compiled:
    """`function` for one thread and for several; machine code is kept in constraintlab's home.

    sources: files whose text the code depends on. numba looks at the file of the function
    alone, and would run yesterday's code after an edit to one that it calls.
    """
    digest = hashlib.sha256(b"".join(Path(s).read_bytes() for s in sources)).hexdigest()[:12]
    return Compiled(
        _kept(function, f"{digest}-alone"), _kept(function, f"{digest}-team", parallel=True)
    )


def _kept(function: Callable, folder: str, **options) -> Callable:
    """Compiled code in a folder of its own: numba's cache does not tell apart two sets of options
    for one function, and would load the threads' code where one thread is wanted."""
    before = numba.config.CACHE_DIR
    # Where to keep code is settled when a function is wrapped; others' functions keep theirs.
    numba.config.CACHE_DIR = str(home().path / "numba" / folder)
    try:
        return numba.njit(nogil=True, error_model="numpy", cache=True, **options)(function)
    finally:
        numba.config.CACHE_DIR = before


def workers() -> int:
    """Threads for a kernel: torch's number, within the cores that this process may use.

    One in a forked child, where OpenMP can't run: start an engine's process with `spawn`.
    """
    if _forked:
        return 1
    return max(1, min(torch.get_num_threads(), _cores(), numba.config.NUMBA_NUM_THREADS))


@cache
def _cores() -> int:
    return math.ceil(cgroup.cores())


def _turn():
    """A lock where numba's threads serve one caller at a time (its `workqueue` layer)."""
    try:
        alone = numba.threading_layer() == "workqueue"
    except ValueError:  # no layer yet: this call starts one
        alone = True
    return _one_at_a_time if alone else nullcontext()
