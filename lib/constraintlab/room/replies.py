"""What a room sends: its page's files, JSON, and errors in words; nothing that calls elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from constraintlab.room.looks import css

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


def file(name: str) -> Callable:
    """A handler that sends one of the page's files."""
    body = (STATIC / name).read_bytes()
    kind = KINDS[Path(name).suffix]

    async def send(_: Request) -> Response:
        return Response(body, 200, HEADERS, kind)

    return send


async def looks(_: Request) -> Response:
    """The colours, which are the course's."""
    return Response(css(), 200, HEADERS, "text/css")


def content(what: object, status: int = 200, wait: float = 0.0) -> Response:
    """JSON. wait: seconds until the caller may come again."""
    later = {"retry-after": str(math.ceil(wait))} if wait else {}
    return Response(msgspec.json.encode(what), status, HEADERS | later, "application/json")


def error(status: int, why: str, wait: float = 0.0) -> Response:
    """`{"error": why}`."""
    return content({"error": why}, status, wait)


async def http_error(_: Request, raised: HTTPException) -> Response:
    """Of a path or a method that is not there."""
    return error(raised.status_code, f"{raised.detail}: this is a room of constraintlab")


async def broken(_: Request, raised: Exception) -> Response:
    """Of a fault of ours."""
    return error(500, "the room failed; its terminal says how")
