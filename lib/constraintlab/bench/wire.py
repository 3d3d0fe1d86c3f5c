"""Both sides of the stream bench as processes: their CPU time, and who reads from them."""

from __future__ import annotations

import json
import pickle
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import psutil

from constraintlab.engine.spawn import environment, spawn


def request(prompt: Sequence[int], tokens: int) -> bytes:
    """A streamed completion as bytes."""
    said = {"prompt": list(prompt), "max_tokens": tokens, "stream": True, "ignore_eos": True}
    body = json.dumps(said).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def answer(port: int, asked: bytes) -> bytes:
    """All bytes of one answer, its head too."""
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.sendall(asked)
        data = b""
        while not data.endswith(b"0\r\n\r\n"):
            got = link.recv(1 << 16)
            if not got:
                break
            data += got
    return data


def pieces(data: bytes) -> list[bytes]:
    """An answer's bytes cut where an event begins, so that each piece has one at most; the head
    goes with the first."""
    starts = [m.start() for m in re.finditer(rb"[0-9a-f]+\r\ndata: ", data)]
    cuts = [0, *starts[1:], len(data)]
    return [data[a:b] for a, b in pairwise(cuts)]


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
