"""`Link`: a shaped link between a server and its clients, in a process of its own, without root.

It is a TCP proxy that reads the server no faster than the link would carry the bytes, so the
server's own socket fills up and it feels the link as it would feel a real one.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from contextlib import suppress
from dataclasses import asdict
from urllib.parse import urlsplit

from constraintlab.engine.spawn import spawn
from constraintlab.serving.link_settings import Connection, LinkStats, Settings

QUEUE = 4096
"""Bytes that wait in front of the link for each connection: about 16 tokens."""

BUFFER = 4096
"""Bytes of each socket's buffer at the link's ends; the kernel doubles it."""

PATIENCE = 5.0
"""Seconds that the process has to end."""


class LinkDied(RuntimeError):
    """The link's process ended by itself; the message has the end of its log."""


class Link:
    """Connect to `url` or `port` instead of the server. Use it with `with`, or call `close`.

    to: the server's URL, `host:port`, or port on this machine. The other values are those of
    `Settings`. queue, buffer: bytes; larger ones hide the link from the server for longer. Raises
    ValueError or TypeError that names the fix, LinkDied when the process can't start.
    """

    def __init__(
        self,
        to: str | int,
        *,
        queue: int = QUEUE,
        buffer: int = BUFFER,
        seed: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        **settings: object,
    ) -> None:
        if queue < 1 or buffer < 1:
            raise ValueError(f"queue={queue}, buffer={buffer}: give bytes, 1 or more")
        self.settings = Settings().changed(**settings)
        there = _address(to)
        self._lock, self.host = threading.Lock(), host
        self._log = tempfile.TemporaryFile("w+", prefix="constraintlab-link-")  # noqa: SIM115
        self._process = spawn("constraintlab.serving.link_worker", self._log)
        job = {"host": there[0], "port": there[1], "queue": queue, "buffer": buffer, "seed": seed,
               "bind": host, "listen": port, "settings": asdict(self.settings)}  # fmt: skip
        said = self._call(job)
        if "failed" in said:
            self.close()
            raise LinkDied(f"the link can't listen on {host}:{port}: {said['failed']}")
        self.port: int = said["port"]

    @property
    def url(self) -> str:
        """For a server that speaks HTTP."""
        return f"http://{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        """Of the link's process."""
        return self._process.pid

    def set(self, **settings: object) -> None:
        """Change some of the settings now, for what waits too; the others stay."""
        self.settings = self.settings.changed(**settings)
        self._call({"do": "set", "settings": asdict(self.settings)})

    def stall(self, seconds: float) -> None:
        """Let nothing on the link for so long from now."""
        if not seconds >= 0:
            raise ValueError(f"seconds={seconds}: give 0 (go on) or more")
        self._call({"do": "stall", "seconds": seconds})

    def stats(self) -> LinkStats:
        """As it is now."""
        said = self._call({"do": "stats"})
        connections = tuple(Connection(**c) for c in said.pop("connections"))
        return LinkStats(**said, connections=connections)

    def close(self) -> None:
        """End the process and with it every connection; may be called twice."""
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log.close()

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, command: dict) -> dict:
        with self._lock:
            if self._process.stdin.closed:
                raise ValueError("this link is closed: start another one")
            with suppress(BrokenPipeError):
                self._process.stdin.write(json.dumps(command).encode() + b"\n")
                self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            raise LinkDied(self._obituary())
        return json.loads(line)

    def _obituary(self) -> str:
        code = self._process.wait()
        self._log.seek(0)
        tail = "\n  ".join(self._log.read().splitlines()[-12:])
        return f"the link's process ended with status {code}. The end of its log:\n  {tail}"


def _address(to: str | int) -> tuple[str, int]:
    text = f"127.0.0.1:{to}" if isinstance(to, int) or to.isdecimal() else to
    try:
        parts = urlsplit(text if "://" in text else f"tcp://{text}")
        port = parts.port or {"http": 80}.get(parts.scheme)
    except ValueError:
        port = None
    if not port or not parts.hostname:
        raise ValueError(f"to={to!r}: give the server's port, host:port, or http://host:port")
    return parts.hostname, port
