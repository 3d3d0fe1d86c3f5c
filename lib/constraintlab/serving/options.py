"""How a server behaves, as plain data: what `constraintlab serve` takes beside its engine."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from constraintlab.serving.outbox import Limits


@dataclass(frozen=True)
class Options:
    """A server's address and its limits. Raises ValueError that names the fix.

    port: 0 takes a free one. name: of the model, to clients; the setup's unless given. key: what
    clients of /v1 must send as their API key, if anything. stream_interval: tokens to an event.
    queue: requests that may be open beyond the engine's slots. slow: what slow readers meet.
    send_buffer: bytes that a socket takes before its stream counts as blocked (the kernel doubles
    it). grace: seconds that streams have to end after SIGTERM. body, head: bytes of a request;
    head_seconds, body_seconds: within which they have to arrive. restarts: of a dead engine, in
    ten minutes.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    name: str = ""
    key: str = field(default="", repr=False)
    stream_interval: int = 1
    queue: int = 256
    slow: Limits = field(default_factory=Limits)
    send_buffer: int = 32_768
    grace: float = 20.0
    body: int = 4 << 20
    head: int = 32_768
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    restarts: int = 3

    def __post_init__(self) -> None:
        if not 0 <= self.port < 65_536:
            raise ValueError(f"port={self.port}: give 1 to 65535, or 0 for a free one")
        if self.stream_interval < 1:
            raise ValueError(f"stream_interval={self.stream_interval}: give 1 token or more")
        if self.queue < 0 or self.restarts < 0:
            raise ValueError(f"queue={self.queue}, restarts={self.restarts}: give 0 or more")
        for name in ("send_buffer", "body", "head", "head_seconds", "body_seconds"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}={getattr(self, name)}: give more than 0")
        if self.grace < 0:
            raise ValueError(f"grace={self.grace}: give 0 seconds or more")

    @property
    def exposed(self) -> bool:
        """Whether other machines may reach it, and need no key."""
        try:
            loopback = ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            loopback = self.host == "localhost"
        return not loopback and not self.key
