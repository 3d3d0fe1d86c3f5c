"""Sockets: small writes/s that one core makes, and bytes/s over loopback TCP."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from constraintlab.limits.estimate import Estimate

EVENT = 256
"""Bytes of one write: about one token framed as SSE and JSON."""

_READER = """
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
while s.recv(1 << 20):
    pass
"""


@contextmanager
def _stream() -> Iterator[socket.socket]:
    """A connected TCP socket whose other end another process drains."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        port = str(server.getsockname()[1])
        reader = subprocess.Popen([sys.executable, "-I", "-S", "-c", _READER, port])
        try:
            peer, _ = server.accept()
            with peer:
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                yield peer
        finally:
            reader.kill()
            reader.wait()


def _rates(peer: socket.socket, payload: bytes, times: int, repeats: int) -> list[float]:
    """Calls of sendall per second, over `repeats` runs of `times` calls."""
    rates = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(times):
            peer.sendall(payload)
        rates.append(times / (time.perf_counter() - start))
    return rates


def sockets() -> tuple[Estimate, Estimate]:
    """(writes/s of 256 bytes each, bytes/s of large writes), over loopback TCP."""
    try:
        with _stream() as peer:
            _rates(peer, b"x" * EVENT, 500, 1)
            writes = Estimate.of(_rates(peer, b"x" * EVENT, 2000, 7), "1/s")
            block = b"x" * (1 << 20)
            _rates(peer, block, 16, 1)
            rates = _rates(peer, block, 64, 7)
            return writes, Estimate.of([r * len(block) for r in rates], "B/s")
    except OSError as error:
        why = f"no loopback TCP: {error}"
        return Estimate.absent("1/s", why), Estimate.absent("B/s", why)
