"""Runs the parts one after the other, each in a process with a time limit, and keeps what came."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from constraintlab.gpu.here import Say
from constraintlab.gpu.plan import LIMIT, part
from constraintlab.gpu.result import Result

KEPT_OF_A_LOG = 40_000
"""Characters of what a part printed, its end: nine of them stay a small file."""


@dataclass(frozen=True)
class Ended:
    """How a part's process ended. told: its answer, None where it gave none."""

    seconds: float
    status: int | None
    told: dict | None
    log: str


Start = Callable[[str, dict, Path, float], Ended]


def play(
    names: Sequence[str],
    result: Result,
    scratch: Path,
    device: str,
    say: Say,
    *,
    limit: float = LIMIT,
    clock: Callable[[], float] = time.monotonic,
    start: Start | None = None,
) -> Result:
    """Every part of `names`, within `limit` seconds in all; the result's files after each one.

    A part that has less than its LEAST left is not begun, and the next, which may need less, is
    tried. `clock` and `start` are passed in by tests.
    """
    start, end = start or in_a_process, clock() + limit
    for name in names:
        this, left = part(name), end - clock()
        say(f"[{name}] {this.WHAT}")
        if left < this.LEAST:
            why = f"{left:.0f} s are left and it needs {this.LEAST:g}: `make gpu ONLY={name}`"
            result.add(name, "no time", 0.0, why)
        else:
            most = min(left, this.MOST)
            order = {
                "device": device, "scratch": str(scratch), "out": str(result.folder.resolve()),
                "seconds": most, "results": list(result.results),
            }  # fmt: skip
            _keep(result, name, most, start(name, order, scratch, most))
        result.write()
        say(f"[{name}] {result.parts[-1].line}")
    return result


def _keep(result: Result, name: str, most: float, ended: Ended) -> None:
    """What became of a part, in the result."""
    result.logs[name] = ended.log[-KEPT_OF_A_LOG:]
    if ended.told is not None and "unavailable" in ended.told:
        result.add(name, "unavailable", ended.seconds, ended.told["unavailable"])
    elif ended.told is not None:
        result.take(name, ended.seconds, ended.told)
    elif ended.status is None:
        result.add(name, "failed", ended.seconds, f"stopped after {most:.0f} s; {_last(ended.log)}")
    else:
        how = f"ended by {signal.Signals(-ended.status).name}" if ended.status < 0 else "failed"
        result.add(name, "failed", ended.seconds, f"{how}; its last words: {_last(ended.log)}")


def _last(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1][-300:] if lines else "it said nothing"


CHILD = (sys.executable, "-u", "-m", "constraintlab.gpu.child")


def in_a_process(
    name: str, order: dict, scratch: Path, most: float, child: Sequence[str] = CHILD
) -> Ended:
    """The part in a Python of its own, stopped with all that it started after `most` seconds."""
    asked, answer, log = (scratch / f"{name}.{end}" for end in ("order", "answer", "log"))
    asked.write_text(json.dumps(order | {"answer": str(answer)}))
    answer.unlink(missing_ok=True)
    command = [*child, name, str(asked)]
    began = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            env=os.environ | {"CONSTRAINTLAB_HOME": str(scratch / "home"), "PYTHONPATH": path()},
        )  # fmt: skip
        try:
            status: int | None = process.wait(most)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            _end(process)
    told = json.loads(answer.read_text()) if answer.exists() else None
    return Ended(time.monotonic() - began, status, told, log.read_text(errors="replace"))


def path() -> str:
    """PYTHONPATH with this package's folder in full: a part's own processes run elsewhere."""
    lib, given = str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")
    others = (p for p in given.split(os.pathsep) if p and Path(p).resolve() != Path(lib))
    return os.pathsep.join([lib, *others])


def _end(process: subprocess.Popen) -> None:
    """Nothing that the part started outlives it: all of them are in its session."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
