"""What a streamed answer is on the wire: its bytes, and an event of it taken to pieces."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from itertools import pairwise

END = b"0\r\n\r\n"
"""What a chunked answer ends with."""

PACKET = 52
"""Bytes of TCP's and IPv4's headers with TCP's timestamps, if an event is a packet of its own."""

PARTS = ("text", "JSON", "SSE", "HTTP chunk")


def post(path: str, said: Mapping[str, object]) -> bytes:
    """A request as bytes."""
    body = json.dumps(said).encode()
    return f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def answer(port: int, asked: bytes, timeout: float = 30.0) -> bytes:
    """All bytes of one answer from a server on this machine, its head too."""
    with socket.create_connection(("127.0.0.1", port), timeout) as link:
        link.sendall(asked)
        data = b""
        while not _whole(data):
            got = link.recv(1 << 16)
            if not got:
                break
            data += got
    return data


def _whole(data: bytes) -> bool:
    """Whether an answer is all there: to its last chunk, or as long as its head says."""
    head, end, body = data.partition(b"\r\n\r\n")
    long = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return bool(end) and (len(body) >= int(long[1]) if long else data.endswith(END))


def pieces(data: bytes) -> list[bytes]:
    """An answer's bytes cut where an event begins, so that each piece has one at most; the head
    goes with the first."""
    starts = [m.start() for m in re.finditer(rb"[0-9a-f]+\r\ndata: ", data)]
    cuts = [0, *starts[1:], len(data)]
    return [data[a:b] for a, b in pairwise(cuts)]


@dataclass(frozen=True)
class Event:
    """An event as it was on the wire. text: what of it a reader sees, escaped as JSON does."""

    raw: bytes
    text: bytes

    @classmethod
    def of(cls, raw: bytes) -> Event:
        """Of a piece with one event. ValueError for one that has no text."""
        found = re.search(rb'"(?:text|content)":"((?:[^"\\]|\\.)*)"', raw)
        if not found:
            raise ValueError(f"no text in {raw!r}: take an event from the middle of an answer")
        return cls(raw, found[1])

    def spans(self) -> list[tuple[str, bytes]]:
        """Its bytes in order, each part by its name in PARTS."""
        size, _, rest = self.raw.partition(b"\r\n")
        before, data = rest[: len(b"data: ")], rest[len(b"data: ") :]
        json_, _, _ = data.partition(b"\n\n")
        start = json_.index(b'":"' + self.text, json_.rindex(b'"choices"')) + 3
        return [
            ("HTTP chunk", size + b"\r\n"),
            ("SSE", before),
            ("JSON", json_[:start]),
            ("text", self.text),
            ("JSON", json_[start + len(self.text) :]),
            ("SSE", b"\n\n"),
            ("HTTP chunk", b"\r\n"),
        ]

    def sizes(self) -> dict[str, int]:
        """Bytes of each of PARTS."""
        return {p: sum(len(b) for name, b in self.spans() if name == p) for p in PARTS}

    def __str__(self) -> str:
        return self.raw.decode(errors="replace")

    def _repr_mimebundle_(self, **_) -> dict:
        spans = []
        for name, data in self.spans():
            shown = escape(data.decode(errors="replace").replace("\r", "\\r").replace("\n", "\\n"))
            style = "font-weight:700;text-decoration:underline" if name == "text" else "opacity:.7"
            spans.append(f'<span style="{style}" title="{name}">{shown}</span>')
        html = f'<code style="white-space:pre-wrap;word-break:break-all">{"".join(spans)}</code>'
        return {"text/plain": str(self), "text/html": html}


def tapped(port: int, path: str, said: Mapping[str, object]) -> Event:
    """An event from the middle of a streamed answer. ValueError with what came instead of one."""
    data = answer(port, post(path, {**said, "stream": True}))
    found = pieces(data)
    if len(found) < 3:
        raise ValueError(
            f"{path} answered {data[:300]!r}: ask for a streamed answer of some length"
        )
    return Event.of(found[len(found) // 2])
