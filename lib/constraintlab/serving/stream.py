"""`Stream`: one streamed answer on its way to a reader, through ASGI's `send`.

No task stands between the engine's step and the socket: an event goes straight to the connection,
where one is known and has room; else whoever hears of a step drives the stream's `send` itself,
which ends at once as long as the reader keeps up. Only a `send` that waits for room gets a task, to
wait in, and meanwhile the stream's outbox fills.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from constraintlab.serving.errors import ApiError, kind
from constraintlab.serving.events import Events, error_event
from constraintlab.serving.outbox import Outbox
from constraintlab.serving.sink import Sink


class Owner(Protocol):
    """Whom a stream tells that its reader is slow, or that it isn't any more."""

    def clock(self) -> float:
        """Seconds."""

    def blocked(self, stream: Stream) -> None:
        """An event waits for room."""

    def unblocked(self, stream: Stream) -> None:
        """Nothing waits."""

    def hold(self, stream: Stream) -> None:
        """Pause the request."""

    def resume(self, stream: Stream) -> None:
        """Go on with the request."""

    def sent(self, size: int, tokens: int) -> None:
        """An event, of so many bytes and tokens."""


class Connection(Protocol):
    """What lies under `send`, where it is known."""

    @property
    def buffered(self) -> int:
        """Bytes that the socket has not taken."""

    def pass_on(self, body: bytes) -> bool:
        """Write an event of a stream under way, unless something waits for room: False then."""

    def cut(self, body: bytes) -> None:
        """Send this, if the reader takes it soon, and close."""


class Stream(Sink):
    """send: ASGI's, after the response has started. connection: under it, if known."""

    __slots__ = ("_events", "_owner", "_rest", "_send", "connection", "outbox", "reason")

    def __init__(
        self,
        prompt: int,
        outbox: Outbox,
        events: Events,
        send: Callable[[dict], Coroutine],
        owner: Owner,
        connection: Connection | None = None,
    ) -> None:
        super().__init__(prompt)
        self.outbox, self._events, self._send, self._owner = outbox, events, send, owner
        self.connection, self.reason = connection, ""
        self._rest: asyncio.Task | None = None

    @property
    def waiting(self) -> int:
        """Tokens that are not on their way yet."""
        return self.outbox.waiting

    @property
    def waiting_bytes(self) -> int:
        """Bytes of text that wait here, and of events that wait for the socket."""
        return self.outbox.size + (self.connection.buffered if self.connection else 0)

    def put(self, text: str, finished: str | None, tokens: int) -> bytes | None:
        """See `Sink`."""
        if finished:
            self.finished = finished
        out = self.outbox.put(text, finished is not None, tokens)
        if out is not None:
            return self._frame(out)
        if self.outbox.overfull:
            self.outbox.held = True
            self._owner.hold(self)
        return None

    def write(self, body: bytes) -> None:
        """See `Sink`."""
        last = self.outbox.last
        self._owner.sent(len(body), self.outbox.out)
        if not last and self.connection is not None and self.connection.pass_on(body):
            return
        if last:
            self.reason = self.reason or "finished"
        sending = self._send({"type": "http.response.body", "body": body, "more_body": not last})
        try:
            waits_for = sending.send(None)
        except StopIteration:
            return
        except OSError:
            return  # The reader is gone; whoever waits for that hears of it.
        self.outbox.block(self._owner.clock())
        self._owner.blocked(self)
        self._rest = asyncio.ensure_future(self._go_on(sending, waits_for))

    def fail(self, error: ApiError, event: str) -> None:
        """See `Sink`. The reader is told by an event, at once if something waits to be sent."""
        blocked, told = self.outbox.blocked, bool(self.reason)
        if told and not blocked:
            return
        self.reason, self.outbox.last, self.outbox.out = event, True, 0
        body = error_event(error.message, kind(error.status), event)
        if not blocked:
            self.write(body)
            return
        self.close()
        if self.connection is not None:
            self.connection.cut(b"" if told else body)

    def close(self) -> None:
        """Nobody reads any more."""
        self.reason = self.reason or "client"
        if self._rest is not None:
            self._rest.cancel()
        self._owner.unblocked(self)

    def _frame(self, text: str) -> bytes:
        if self.outbox.last:
            return self._events.end(text, self.finished, self.usage, self.bill)
        return self._events.text(text, self.usage)

    async def _go_on(self, sending: Coroutine, waits_for: Any) -> None:
        await _Rest(sending, waits_for)
        out = self.outbox.unblock(self._owner.clock())
        if out is None:
            self._owner.unblocked(self)
        else:
            self.write(self._frame(out))
            if not self.outbox.blocked:
                self._owner.unblocked(self)
        if self.outbox.held and not self.outbox.blocked:
            self.outbox.held = False
            self._owner.resume(self)


class _Rest:
    """What is left of a coroutine that was begun outside a task: awaited, it goes on in one."""

    def __init__(self, begun: Coroutine, waits_for: Any) -> None:
        self._begun, self._waits_for = begun, waits_for

    def __await__(self):
        waits_for = self._waits_for
        try:
            while True:
                try:
                    value = yield waits_for
                except BaseException as error:
                    waits_for = self._begun.throw(error)
                else:
                    waits_for = self._begun.send(value)
        except StopIteration as end:
            return end.value
