"""A room over HTTP: laptops join and tell, a page asks for what it shows, the instructor decides.

Every answer that is no success has `{"error": sentence}`. Laptops give the code; a page gives the
code or the instructor's key, as `Authorization: Bearer …`.
"""

from __future__ import annotations

import asyncio
import hmac
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from constraintlab.room import messages, replies
from constraintlab.room.messages import Bad
from constraintlab.room.pace import Pace
from constraintlab.room.state import state
from constraintlab.room.store import Full, Store, Stranger

CONTROLS = (
    "room-enter",
    "room-previous",
    "room-question",
    "room-next",
    "room-reveal",
    "room-hide",
    "room-theme",
)
"""Controls a person uses on the page; each has a browser test that it reacts."""

BODY_SECONDS = 5.0
"""That a body has to arrive."""

ELSEWHERE = "this room has another code: look at the screen again"
T = TypeVar("T")


class Refused(Exception):
    """A request that is answered with an error; wait: seconds until it may come again."""

    def __init__(self, status: int, why: str, wait: float = 0.0) -> None:
        super().__init__(why)
        self.status, self.why, self.wait = status, why, wait


class Room:
    """The handlers. The store is used by one thread alone, which may wait for the disk."""

    def __init__(self, store: Store, where: str = "") -> None:
        """where: `host:port` at which laptops find it, for a page that is open on this machine."""
        self._store = store
        self._about = msgspec.json.encode({"code": store.code, "where": where})[1:-1]
        self._desk = ThreadPoolExecutor(1, "room")
        self._state, self._changed = b"", True
        # A school's laptops may all come from one address.
        self._callers, self._newcomers = Pace(100, 400), Pace(2, 120)
        self._learners = Pace(4, 40)

    def app(self) -> Starlette:
        """The ASGI application."""
        routes = [
            Route("/", replies.file("page.html")),
            Route("/page.css", replies.file("page.css")),
            Route("/page.js", replies.file("page.js")),
            Route("/draw.js", replies.file("draw.js")),
            Route("/looks.css", replies.looks),
            Route("/api/join", self._guarded(self.join), methods=["POST"]),
            Route("/api/tell", self._guarded(self.tell), methods=["POST"]),
            Route("/api/state", self._guarded(self.state)),
            Route("/api/instruct", self._guarded(self.instruct), methods=["POST"]),
        ]
        handlers = {HTTPException: replies.http_error, Exception: replies.broken}
        return Starlette(routes=routes, exception_handlers=handlers)

    async def join(self, request: Request) -> Response:
        """A laptop comes."""
        told = await self._message(request, messages.Join)
        if not await self._do(lambda: self._store.knows(told.token)):
            self._pace(self._newcomers, _address(request))
        await self._do(lambda: self._store.join(told.token, told.laptop), changes=True)
        return replies.content({"joined": True})

    async def tell(self, request: Request) -> Response:
        """A laptop tells. `taken`: the seqs of what is kept now; `refused`: [{seq, why}]."""
        told = await self._message(request, messages.Tell)
        items, refused = [], []
        for raw in told.items:
            try:
                items.append(messages.item(raw))
            except Bad as error:
                refused.append({"seq": messages.seq_of(raw), "why": str(error)})
        if not await self._do(lambda: self._store.knows(told.token)):
            raise Stranger("this room does not know this laptop: join first")
        self._pace(self._learners, told.token)
        said = await self._do(lambda: self._store.take(told.token, items), changes=True)
        refused += [{"seq": i.seq, "why": why} for i, why in zip(items, said, strict=True) if why]
        taken = [i.seq for i, why in zip(items, said, strict=True) if not why]
        return replies.content({"taken": taken, "refused": refused})

    async def state(self, request: Request) -> Response:
        """What a page shows; `role` says whether its key may decide."""
        key = self._holds_key(request)
        if not key and not self._is_code(_bearer(request)):
            raise Refused(403, ELSEWHERE)
        if self._changed or not self._state:
            self._changed = False
            self._state = msgspec.json.encode(await self._do(lambda: state(self._store)))
        role = b'"instructor"' if key else b'"guest"'
        body = b'{"role":%b,%b,"state":%b}' % (role, self._about, self._state)
        return Response(body, 200, replies.HEADERS, "application/json")

    async def instruct(self, request: Request) -> Response:
        """The instructor shows a question, reveals what was measured, or hides it again."""
        if not self._holds_key(request):
            raise Refused(403, "that is for the instructor, whose key is in the terminal")
        told = await self._message(request, messages.Instruct)
        do = {"open": self._store.show, "reveal": self._store.reveal, "hide": self._store.hide}
        try:
            await self._do(lambda: do[told.do](told.lab, told.key), changes=True)
        except KeyError as error:
            raise Refused(404, error.args[0]) from None
        return replies.content({"done": True})

    def _guarded(self, handler: Callable) -> Callable:
        """The handler, less those who ask too often, its errors made answers."""

        async def guarded(request: Request) -> Response:
            try:
                self._pace(self._callers, _address(request))
                return await handler(request)
            except Refused as error:
                return replies.error(error.status, error.why, error.wait)
            except Bad as error:
                return replies.error(400, f"that is no message of constraintlab's: {error}")
            except Stranger as error:
                return replies.error(409, str(error))
            except Full as error:
                return replies.error(507, str(error))
            except sqlite3.Error as error:
                return replies.error(503, f"the room's file can't be written ({error})", 5.0)
            except ClientDisconnect:
                return Response(b"", 400)

        return guarded

    async def _message(self, request: Request, kind: type[T]) -> T:
        """The body, whose code must be right where it has one."""
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _body(request)
        except TimeoutError:
            raise Refused(408, f"the body did not arrive within {BODY_SECONDS:g} s") from None
        told = messages.read(body, kind)
        if hasattr(told, "code") and not self._is_code(told.code):
            raise Refused(403, ELSEWHERE)
        return told

    async def _do(self, work: Callable[[], T], changes: bool = False) -> T:
        done = await asyncio.get_running_loop().run_in_executor(self._desk, work)
        self._changed |= changes
        return done

    def _pace(self, pace: Pace, name: str) -> None:
        wait = pace.wait(name)
        if wait:
            raise Refused(429, "too much at once from this laptop: a little later", wait)

    def _is_code(self, given: str) -> bool:
        plain = "".join(c for c in given.upper() if c.isalnum())
        return hmac.compare_digest(plain.encode(), self._store.code.encode())

    def _holds_key(self, request: Request) -> bool:
        return hmac.compare_digest(_bearer(request).encode(), self._store.key.encode())


async def _body(request: Request) -> bytes:
    found = bytearray()
    async for part in request.stream():
        found += part
        if len(found) > messages.BODY:
            raise Refused(413, f"a body has at most {messages.BODY} bytes")
    return bytes(found)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _bearer(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ").strip()
