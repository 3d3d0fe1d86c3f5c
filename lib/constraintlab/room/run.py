"""A room's server in this process, and the addresses at which laptops find it."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

import psutil
import uvicorn

from constraintlab.room.app import Room
from constraintlab.room.store import Store


def listen(host: str, port: int) -> socket.socket:
    """A socket that is bound. OSError, with what to do, where that can't be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
    except OSError as error:
        found.close()
        why = f"can't listen on {host}:{port}: {error.strerror}; give another --port"
        raise OSError(why) from None
    return found


def addresses(host: str) -> list[str]:
    """At which others reach a server that listens on `host`, the likeliest first.

    For 0.0.0.0: this machine's own IPv4 addresses on networks that are up, private ones first;
    127.0.0.1 where there is none.
    """
    if host not in ("0.0.0.0", "::"):
        return [f"[{host}]" if ":" in host else host]
    up = {name for name, stats in psutil.net_if_stats().items() if stats.isup}
    found = [
        ipaddress.ip_address(a.address)
        for name, held in psutil.net_if_addrs().items()
        if name in up
        for a in held
        if a.family == socket.AF_INET
    ]
    others = [a for a in found if not a.is_loopback]
    # Of a bridge for containers, say, no laptop knows the way.
    inner = ("docker", "br-", "veth", "virbr")
    hidden = {
        a.address
        for name, held in psutil.net_if_addrs().items()
        if name.startswith(inner)
        for a in held
    }
    others.sort(key=lambda a: (str(a) in hidden, a.is_link_local, not a.is_private))
    return [str(a) for a in others] or ["127.0.0.1"]


class Server(uvicorn.Server):
    """uvicorn around a room; ready is called once it listens. where: see `Room`."""

    def __init__(
        self, store: Store, where: str = "", ready: Callable[[], object] = lambda: None
    ) -> None:
        self._ready = ready
        config = uvicorn.Config(
            Room(store, where).app(),
            # Unlike httptools, h11 bounds a request's head.
            http="h11",
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=1000,
            timeout_graceful_shutdown=2,
            backlog=512,
        )
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()
