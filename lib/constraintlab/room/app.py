"""A room over HTTP: laptops join and tell, a page asks for what it shows, the instructor decides.

Every answer that is no success has `{"error": sentence}`. Laptops give the code; a page gives the
code or the instructor's key, as `Authorization: Bearer …`.
"""

from __future__ import annotations

import asyncio
import hmac
import math
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from constraintlab.room import messages
from constraintlab.room.looks import css
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
    "room-theme",
)
"""Controls a person uses on the page; each has a browser test that it reacts."""

STATIC = Path(__file__).parent / "static"
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
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
            Route("/", _file("page.html")),
            Route("/page.css", _file("page.css")),
            Route("/page.js", _file("page.js")),
            Route("/draw.js", _file("draw.js")),
            Route("/looks.css", _looks),
            Route("/api/join", self._guarded(self.join), methods=["POST"]),
            Route("/api/tell", self._guarded(self.tell), methods=["POST"]),
            Route("/api/state", self._guarded(self.state)),
            Route("/api/instruct", self._guarded(self.instruct), methods=["POST"]),
        ]
        handlers = {HTTPException: _http_error, Exception: _broken}
        return Starlette(routes=routes, exception_handlers=handlers)

    async def join(self, request: Request) -> Response:
        """A laptop comes."""
        told = await self._message(request, messages.Join)
        if not await self._do(lambda: self._store.knows(told.token)):
            self._pace(self._newcomers, _address(request))
        await self._do(lambda: self._store.join(told.token, told.laptop), changes=True)
        return _json({"joined": True})

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
        return _json({"taken": taken, "refused": refused})

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
        return Response(body, 200, HEADERS, "application/json")

    async def instruct(self, request: Request) -> Response:
        """The instructor shows a question, or reveals what was measured."""
        if not self._holds_key(request):
            raise Refused(403, "that is for the instructor, whose key is in the terminal")
        told = await self._message(request, messages.Instruct)
        do = self._store.show if told.do == "open" else self._store.reveal
        try:
            await self._do(lambda: do(told.lab, told.key), changes=True)
        except KeyError as error:
            raise Refused(404, error.args[0]) from None
        return _json({"done": True})

    def _guarded(self, handler: Callable) -> Callable:
        """The handler, less those who ask too often, its errors made answers."""

        async def guarded(request: Request) -> Response:
            try:
                self._pace(self._callers, _address(request))
                return await handler(request)
            except Refused as error:
                return _error(error.status, error.why, error.wait)
            except Bad as error:
                return _error(400, f"that is no message of constraintlab's: {error}")
            except Stranger as error:
                return _error(409, str(error))
            except Full as error:
                return _error(507, str(error))
            except sqlite3.Error as error:
                return _error(503, f"the room's file can't be written ({error})", 5.0)
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


def _file(name: str) -> Callable:
    body = (STATIC / name).read_bytes()
    kind = KINDS[Path(name).suffix]

    async def send(_: Request) -> Response:
        return Response(body, 200, HEADERS, kind)

    return send


async def _looks(_: Request) -> Response:
    return Response(css(), 200, HEADERS, "text/css")


def _json(content: object, status: int = 200, wait: float = 0.0) -> Response:
    later = {"retry-after": str(math.ceil(wait))} if wait else {}
    return Response(msgspec.json.encode(content), status, HEADERS | later, "application/json")


def _error(status: int, why: str, wait: float = 0.0) -> Response:
    return _json({"error": why}, status, wait)


async def _http_error(_: Request, error: HTTPException) -> Response:
    return _error(error.status_code, f"{error.detail}: this is a room of constraintlab")


async def _broken(_: Request, error: Exception) -> Response:
    return _error(500, "the room failed; its terminal says how")
