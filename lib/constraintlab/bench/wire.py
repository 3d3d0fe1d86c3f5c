"""Both sides of the stream bench as processes: their CPU time, and who reads from them."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from constraintlab.course.wiretap import post
from constraintlab.engine.spawn import environment, spawn


def request(prompt: Sequence[int], tokens: int) -> bytes:
    """A streamed completion as bytes."""
    said = {"prompt": list(prompt), "max_tokens": tokens, "stream": True, "ignore_eos": True}
    return post("/v1/completions", said)


def spent(pid: int) -> float:
    """Core-seconds of a process so far, the kernel's part of them too.

    By the scheduler's own count where there is one, in nanoseconds; else in hundredths of a second.
    """
    files = list(Path(f"/proc/{pid}/task").glob("*/schedstat"))
    if files:
        return sum(int(f.read_text().split()[0]) for f in files) / 1e9
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def read(port: int, asked: bytes, streams: int) -> dict[str, float]:
    """A reader process reads so many answers; see `reader`."""
    done = subprocess.run(
        [sys.executable, "-m", "constraintlab.bench.reader", str(port)],
        input=pickle.dumps({"request": asked, "streams": streams}),
        stdout=subprocess.PIPE, env=environment(), check=True, timeout=300,
    )  # fmt: skip
    return json.loads(done.stdout)


@contextmanager
def bare(parts: Sequence[bytes], streams: int) -> Iterator[tuple[int, int]]:
    """(port, pid) of a bare server that answers `streams` connections at a time."""
    process = spawn("constraintlab.bench.bare", None)
    try:
        process.stdin.write(pickle.dumps({"pieces": list(parts), "streams": streams}))
        process.stdin.flush()
        yield int(process.stdout.readline()), process.pid
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
