"""`Pair`: one connection through the link, as two sockets with a shaped line each way."""

from __future__ import annotations

import asyncio
import math
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

from constraintlab.serving.link_settings import Connection
from constraintlab.serving.shaping import PACKET, Line

if TYPE_CHECKING:
    from constraintlab.serving.link_hub import Hub

WRITE = 65_536
"""Bytes handed to a socket in one go."""


def packets(made: socket.socket) -> None:
    """Segments of a real network's size on a socket that is not connected yet.

    A loopback's have 64 KiB: a window smaller than one makes TCP wait for its timers, and a peer
    that sends such segments takes megabytes of ours into its own buffer.
    """
    if hasattr(socket, "TCP_MAXSEG"):
        with suppress(OSError):
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, PACKET)


class Side(asyncio.Protocol):
    """One of the two sockets. `line` leads from here to the other side; up: to the server."""

    def __init__(self, pair: Pair, up: bool) -> None:
        self.pair, self.up, self.hub = pair, up, pair.hub
        self.line = Line(pair.hub.queue, pair.hub.now())
        self.transport: asyncio.Transport | None = None
        self.blocked = False
        """The kernel takes no more: who reads here is slower than the link."""
        self.written = 0
        self._held = self._told = False  # not read; told that no more will come

    @property
    def other(self) -> Side:
        return self.pair.server if self.up else self.pair.client

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do for its line until something happens."""
        return self.gone or (self.line.empty and not self.line.ended and not self.line.cut)

    @property
    def gone(self) -> bool:
        """Whether the pair is over, or its line's end has been handed on."""
        return self.pair.over or self.other._told

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        transport.set_write_buffer_limits(high=0)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.up:
            self.pair.connect()
        self.hub.soon(self.other)

    def data_received(self, data: bytes) -> None:
        other = self.other
        if other.transport is not None and not other.blocked and self.hub.free(self):
            self.line.passed += len(data)
            other.write(data)
            return
        self.line.put(data)
        self._read_or_not()
        self.hub.soon(self)

    def eof_received(self) -> bool:
        self.line.ended = True
        self.hub.soon(self)
        return True  # the other direction may go on

    def pause_writing(self) -> None:
        self.blocked = True

    def resume_writing(self) -> None:
        self.blocked = False
        self.hub.soon(self.other)

    def connection_lost(self, error: Exception | None) -> None:
        self.pair.lost(self)

    def takes(self, now: float, delay: float) -> bool:
        """Whether its line may let bytes on the link: not while arrived ones can't be given on."""
        stuck = self.other.blocked and self.line.due(delay) <= now
        return bool(self.line.waiting) and not stuck and not self.pair.over

    def deliver(self, now: float, delay: float) -> float:
        """Hands on what has arrived; says when more will."""
        line, other = self.line, self.other
        if other.transport is None or self.gone:
            return math.inf
        while not other.blocked and line.due(delay) <= now:
            other.write(b"".join(line.arrive(now, delay, WRITE)))
        self._read_or_not()
        if line.cut and not line.flying:
            self.pair.cut()
        elif line.ended and line.empty:
            other.end()
        return math.inf if other.blocked else line.due(delay)

    def write(self, data: bytes) -> None:
        """To this side's socket."""
        self.written += len(data)
        self.hub.carried[not self.up] += len(data)
        self.transport.write(data)

    def end(self) -> None:
        """Says that no more will come; both close when that has been said both ways."""
        self._told = True
        if self.other._told:
            self.pair.close()
        else:
            with suppress(OSError, RuntimeError):
                self.transport.write_eof()

    def abort(self) -> None:
        """As a cable that is pulled: the peer gets a reset, not a good-bye."""
        if self.transport is None or self.transport.is_closing():
            return
        with suppress(OSError):
            self.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
        self.transport.abort()

    def _read_or_not(self) -> None:
        full = self.line.room <= 0
        if full != self._held and self.transport is not None and not self.transport.is_closing():
            self._held = full
            (self.transport.pause_reading if full else self.transport.resume_reading)()


class Pair:
    """number: 1 or more, in order of arrival."""

    def __init__(self, hub: Hub, number: int) -> None:
        self.hub, self.number, self.over = hub, number, False
        self.client, self.server = Side(self, up=True), Side(self, up=False)
        self._connecting: asyncio.Task | None = None

    def connect(self) -> None:
        """To the server; a client whose server can't be reached is cut."""
        self._connecting = self.hub.loop.create_task(self._connect())

    async def _connect(self) -> None:
        hub = self.hub
        made = socket.socket(socket.AF_INET6 if ":" in hub.host else socket.AF_INET)
        made.setblocking(False)
        # Before it connects: afterwards the window that was promised can't be taken back.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, hub.buffer)
        packets(made)
        try:
            await hub.loop.sock_connect(made, (hub.host, hub.port))
            await hub.loop.create_connection(lambda: self.server, sock=made)
        except OSError:
            made.close()
            self.client.abort()
        if self.over:
            self.server.abort()

    def close(self) -> None:
        """Everything has been said both ways."""
        self._end()
        self.client.transport.close()
        self.server.transport.close()

    def cut(self) -> None:
        """All that came before the cut has been written."""
        self.hub.were_cut += 1
        self._end()
        self.client.transport.close()
        self.server.abort()

    def lost(self, side: Side) -> None:
        """One socket is gone: so is the other, at once."""
        self._end()
        side.other.abort()

    def seen(self, slow: bool) -> Connection:
        """Its counters."""
        line, number = self.server.line, self.number
        return Connection(
            number, self.server.written, self.client.written, line.waiting, line.flying, slow
        )

    def _end(self) -> None:
        self.over = True
        self.hub.pairs.pop(self.number, None)
