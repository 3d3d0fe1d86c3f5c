"""Readers that cost the server nothing: `python -m constraintlab.bench.reader PORT`.

Reads a pickled job from stdin: the request's bytes, and how many connections send it. Each sends
it, reads and forgets everything until the other side closes or the answer's end came; then one
line goes out: {"seconds", "bytes", "events"}.
"""

from __future__ import annotations

import json
import pickle
import selectors
import socket
import sys
import time

CHUNK = 1 << 16
END = b"data: [DONE]"


def main() -> None:
    """Read a job, do it, say what came."""
    port, job = int(sys.argv[1]), pickle.load(sys.stdin.buffer)
    print(json.dumps(read(port, job["request"], job["streams"])), flush=True)


def read(port: int, request: bytes, streams: int) -> dict[str, float]:
    """One thread for all: what it takes is no part of what is compared, so it takes little."""
    chosen = selectors.DefaultSelector()
    for _ in range(streams):
        link = socket.create_connection(("127.0.0.1", port))
        link.sendall(request)
        link.setblocking(False)
        chosen.register(link, selectors.EVENT_READ, [b""])
    began, left, size, events = time.monotonic(), streams, 0, 0
    while left:
        for key, _ in chosen.select():
            data = key.fileobj.recv(CHUNK)
            size += len(data)
            events += data.count(b"data: ")
            tail = key.data[0] + data[-len(END) - 12 :]
            if not data or END in data or END in tail:
                chosen.unregister(key.fileobj)
                key.fileobj.close()
                left -= 1
            key.data[0] = data[-len(END) :]
    return {"seconds": time.monotonic() - began, "bytes": size, "events": events}


if __name__ == "__main__":
    main()
