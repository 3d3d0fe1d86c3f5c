"""What a server meets on a bad day: malformed bodies, endless heads, readers that leave."""

from __future__ import annotations

import http.client
import json
import select
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from constraintlab.bench.wire import request

PATHS = ("/v1/completions", "/v1/chat/completions")
GOOD = {"prompt": "water", "max_tokens": 2, "stream": False, "temperature": 1.0, "top_p": 0.5,
        "seed": 3, "stop": ["x"], "n": 1}  # fmt: skip
WRONG = [[], {}, [[]], [None], {"a": 1}, -1, 1e99, "xxx", -(2**70), [1.5], True, [{}]]
RIGHT = [("prompt", "xxx"), ("stop", "xxx"), ("stop", []), ("seed", -1)]
"""Fields for which one of WRONG is no mistake."""

PIECE, PAUSE = 8192, 0.002
"""Bytes of a long head that are sent together, and seconds in which a reply is waited for then."""


def malformed(random: Random) -> bytes:
    """A body that no request may have: cut off, no JSON at all, or a field that can't be so."""
    kind = random.randrange(4)
    if kind == 0:
        data = json.dumps(GOOD).encode()
        return data[: random.randrange(1, len(data))]
    if kind == 1:
        return random.randbytes(random.randint(1, 200))
    while True:
        name, value = random.choice([n for n in GOOD if n != "stream"]), random.choice(WRONG)
        if (name, value) not in RIGHT:
            return json.dumps(GOOD | {name: value}).encode()


def bodies(port: int, n: int, seed: int = 0) -> list[tuple[int, bytes]]:
    """n malformed bodies on one connection: (status, body) of replies that are no clear 4xx."""
    random, odd = Random(seed), []
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for _ in range(n):
        link.request("POST", random.choice(PATHS), malformed(random))
        reply = link.getresponse()
        data = reply.read()
        if not (400 <= reply.status < 500 and _says_why(data)):
            odd.append((reply.status, data))
    link.close()
    return odd


def heads(port: int, n: int, size: int) -> list[bytes]:
    """n heads of up to `size` bytes: the beginning of each reply that is not 431, or is none.

    They come in pieces, and end when something is said: who writes on to a server that has hung up
    loses its last words.
    """
    odd = []
    for _ in range(n):
        with socket.create_connection(("127.0.0.1", port), 30) as link:
            said, sent = b"", 0
            link.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\nx: ")
            while sent < size and not select.select([link], [], [], PAUSE)[0]:
                sent += link.send(b"y" * PIECE)
            with suppress(OSError):
                said = link.recv(1 << 12)
            if not said.startswith(b"HTTP/1.1 431"):
                odd.append(said[:40])
    return odd


def dripping(port: int, n: int, seconds: float) -> list[bytes]:
    """n connections whose heads come byte by byte: replies that are not 408 within `seconds`."""
    links = [socket.create_connection(("127.0.0.1", port), 30) for _ in range(n)]
    for link in links:
        link.sendall(b"GET /health HTTP/1.1\r\nhost: ")
    said, end = dict.fromkeys(links, b""), time.monotonic() + seconds
    while time.monotonic() < end and not all(said.values()):
        for link in links:
            link.settimeout(0.001)
            try:
                if not said[link]:
                    link.sendall(b"x")
                    said[link] = link.recv(1 << 12)
            except TimeoutError:
                pass
            except OSError:
                said[link] = said[link] or b"closed"
        time.sleep(0.05)
    for link in links:
        link.close()
    return [s[:40] for s in said.values() if not s.startswith(b"HTTP/1.1 408")]


def leave(port: int, n: int, seed: int = 0, tokens: int = 4000) -> None:
    """n readers that hang up, each at a random moment of its answer, or before it."""
    random = Random(seed)
    for _ in range(n):
        link = socket.create_connection(("127.0.0.1", port), 30)
        link.sendall(request(range(300, 300 + random.randint(1, 60)), tokens))
        if random.random() < 0.8:
            link.settimeout(30)
            wanted = random.choice([1, 500, 5_000, 50_000])
            while wanted > 0 and (got := len(link.recv(1 << 14))):
                wanted -= got
        link.close()


@dataclass
class Beside:
    """Streams that run meanwhile, in threads; `harmed` says how many were not whole at the end."""

    port: int
    streams: int
    tokens: int
    _got: list[int] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Beside:
        for _ in range(self.streams):
            thread = threading.Thread(target=self._read)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join(300)

    @property
    def harmed(self) -> int:
        """Of those that have ended."""
        return self.streams - sum(n == self.tokens for n in self._got)

    def _read(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port), 300) as link:
            link.sendall(request(range(300, 310), self.tokens))
            data = b""
            while not data.endswith(b"0\r\n\r\n") and (got := link.recv(1 << 16)):
                data += got
        self._got.append(data.count(b'"text":') if b"[DONE]" in data else 0)


def _says_why(data: bytes) -> bool:
    try:
        return bool(json.loads(data)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return False
