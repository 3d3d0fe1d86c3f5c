"""uvicorn's HTTP protocol with limits: heads that are too long or too slow, buffers that are small.

A request's head has to arrive within `head_seconds` and `head` bytes, or the connection ends with
408 or 431. uvicorn has neither limit for httptools. And a stream is blocked once a socket's buffer
in the kernel is full and a few KB wait here, not 64 of them: so back-pressure is felt early.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from constraintlab.serving.answers import CONNECTION
from constraintlab.serving.errors import error_body, kind
from constraintlab.serving.options import Options

HIGH, LOW = 8192, 2048
"""Bytes that wait here for the socket: at HIGH writing stops, at LOW it goes on."""

LAST_WORDS = 2.0
"""Seconds that a reader who is cut off has to take what it was sent."""

LINES = {400: b"HTTP/1.1 400 Bad Request", 408: b"HTTP/1.1 408 Request Timeout",
         431: b"HTTP/1.1 431 Request Header Fields Too Large"}  # fmt: skip


class Guarded(HttpToolsProtocol):
    """One connection; a `stream.Connection` for streams on it."""

    options = Options()
    _timer: asyncio.TimerHandle | None = None
    _head = 0
    _status = 400

    def connection_made(self, transport: asyncio.Transport) -> None:
        """A client has come, and must say something."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(HIGH, LOW)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        self._head_is_there()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a head, of a body, or of a next request."""
        if self.cycle is None or self.cycle.response_complete:
            self._expect_head()
        super().data_received(data)
        if self._timer is not None:
            self._head += len(data)
            if self._head > self.options.head and not self.transport.is_closing():
                self._refuse(431)

    def on_url(self, url: bytes) -> None:
        """A piece of the request's line."""
        self._measure(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field."""
        self._measure(name, value)
        super().on_header(name, value)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._size = 0
        super().on_message_begin()
        self.scope[CONNECTION] = self

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._head_is_there()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """To what is no request; in our shape, and with the status that fits."""
        self._refuse(self._status, msg)

    @property
    def buffered(self) -> int:
        """See `Connection`."""
        return self.transport.get_write_buffer_size()

    def pass_on(self, body: bytes) -> bool:
        """See `Connection`: what uvicorn's `send` would do, without a coroutine for each event."""
        if self.flow.write_paused or self.cycle.disconnected:
            return False
        self.transport.write(b"%x\r\n%b\r\n" % (len(body), body))
        return True

    def cut(self, body: bytes) -> None:
        """See `Connection`."""
        if self.transport.is_closing():
            return
        if body:
            self.transport.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        self.transport.close()
        self.loop.call_later(LAST_WORDS, self.transport.abort)

    def _measure(self, *parts: bytes) -> None:
        self._size += sum(map(len, parts))
        if self._size > self.options.head:
            self._status = 431
            raise ValueError("the head is too long")

    def _expect_head(self) -> None:
        if self._timer is None:
            self._head = 0
            seconds = self.options.head_seconds
            self._timer = self.loop.call_later(seconds, self._refuse, 408)

    def _head_is_there(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: int, why: str = "") -> None:
        self._head_is_there()
        if self.transport.is_closing():
            return
        options = self.options
        why = {
            408: f"the request's head did not arrive within {options.head_seconds:g} s",
            431: f"the request's head has more than {options.head} bytes",
        }.get(status, why)
        body = error_body(why, kind(status), code=status)
        head = (
            b"\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
        )
        self.transport.write(LINES[status] + head % len(body) + body)
        self.transport.close()
        self.loop.call_later(LAST_WORDS, self.transport.abort)


def guarded(options: Options) -> type[Guarded]:
    """The protocol with these limits."""
    return type("Guarded", (Guarded,), {"options": options})
