"""Compile Triton kernels for GPUs that need not be here, in processes that may end badly."""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from constraintlab.attention.xray import kept
from constraintlab.attention.xray.errors import NO_TRITON, XrayError, ended
from constraintlab.attention.xray.job import Job, Reading
from constraintlab.limits import cgroup

ARCHS = ("sm_80", "sm_90", "sm_100")
"""A100, H100 and B200: what the x-ray compiles for unless asked otherwise."""

CHILD = "constraintlab.attention.xray.child"

PATIENCE = 180.0
"""Seconds for one kernel; ptxas takes many when it has thousands of registers to spill."""


def capability(arch: str) -> int:
    """`sm_90` → 90. XrayError for anything else than `sm_` and a number from 80 on."""
    found = re.fullmatch(r"sm_(\d{2,3})", arch)
    if not found or int(found[1]) < 80:
        raise XrayError(f"arch {arch!r} is unknown: use one of {', '.join(ARCHS)}")
    return int(found[1])


def compiled(jobs: Sequence[Job], patience: float = PATIENCE) -> list[Reading]:
    """The reading of each job: a kept one, or compiled now, about a second each, one a core.

    Raises XrayError with the compiler's own words when a kernel doesn't compile, or ends the
    compiler; the other jobs' readings are kept all the same.
    """
    found: list[Reading | str | None] = [kept.load(job) for job in jobs]
    missing = [i for i, reading in enumerate(found) if reading is None]
    if missing:
        if not find_spec("triton"):
            raise XrayError(NO_TRITON)
        made = _made([jobs[i] for i in missing], patience)
        for i, outcome in zip(missing, made, strict=True):
            found[i] = outcome
            if isinstance(outcome, Reading):
                kept.store(jobs[i], outcome)
    for job, outcome in zip(jobs, found, strict=True):
        if isinstance(outcome, str):
            name = job.sources[0].name
            raise XrayError(f"{name} does not compile for sm_{job.capability}: {outcome}")
    return found


def _made(jobs: Sequence[Job], patience: float) -> list[Reading | str]:
    """What became of each job: its reading, or why there is none."""
    with tempfile.TemporaryDirectory(prefix="constraintlab-xray-") as name:
        folder = Path(name)
        (folder / "jobs").write_bytes(pickle.dumps(list(jobs)))
        left, lost = list(range(len(jobs))), {}
        while left:
            workers = max(1, min(len(left), int(cgroup.cores())))
            parts = [left[n::workers] for n in range(workers)]
            for part, status in zip(parts, _run(folder, parts, patience), strict=True):
                undone = [i for i in part if not (folder / f"{i}.done").exists()]
                # A process does its jobs in turn, so the first that is missing has ended it.
                if undone:
                    log = (folder / f"{undone[0]}.log").read_text(errors="replace")
                    lost[undone[0]] = ended(status, log, patience)
            left = [i for i in left if i not in lost and not (folder / f"{i}.done").exists()]
        return [lost.get(i) or _outcome(folder / f"{i}.done") for i in range(len(jobs))]


def _outcome(file: Path) -> Reading | str:
    told = json.loads(file.read_text(encoding="utf-8"))
    return Reading.of(told["reading"]) if "reading" in told else told["failed"]


def _run(folder: Path, parts: Sequence[list[int]], patience: float) -> list[int | None]:
    """A process for each part, side by side; how each ended, None for one that was stopped."""
    children = [_start(folder, part) for part in parts]
    until = time.monotonic() + patience * max(map(len, parts))
    try:
        for process in children:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, until - time.monotonic()))
        return [process.poll() for process in children]
    finally:
        # Also when a notebook's user interrupts the cell; and each one's ptxas with it.
        for process in children:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _start(folder: Path, part: Sequence[int]) -> subprocess.Popen:
    command = [sys.executable, "-u", "-m", CHILD, str(folder), *map(str, part)]
    with (folder / f"{part[0]}.log").open("wb") as log:
        return subprocess.Popen(
            command, env=_environment(folder), start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip


def _environment(folder: Path) -> dict[str, str]:
    """Ours, but compiling, for the arch that is asked for, and leaving nothing behind."""
    unwanted = ("TRITON_INTERPRET", "TRITON_OVERRIDE_ARCH")
    env = {name: value for name, value in os.environ.items() if name not in unwanted}
    return env | {
        "PYTHONPATH": os.pathsep.join(p or str(Path.cwd()) for p in sys.path),
        "PYTHONSAFEPATH": "1",
        "TMPDIR": str(folder),
        "TRITON_CACHE_DIR": str(folder / "cache"),
        "TRITON_ALWAYS_COMPILE": "1",
        "TRITON_DUMP_PTXAS_LOG": "1",
    }
