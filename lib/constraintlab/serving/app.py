"""The HTTP interface: OpenAI's completions, chat and models, /health and /metrics, by Starlette."""

from __future__ import annotations

import hmac
from collections.abc import Callable

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from constraintlab.serving.answers import SEND, Chat, Completions
from constraintlab.serving.errors import ApiError, error_body, kind, no_model
from constraintlab.serving.front import Front
from constraintlab.serving.metrics import CONTENT_TYPE, exposition
from constraintlab.serving.openapi import description

JSON = "application/json"


def app(front: Front) -> Callable:
    """The ASGI application of a front end that has started."""
    web = Web(front)

    routes = [
        Route("/v1/completions", Completions(front), methods=["POST"]),
        Route("/v1/chat/completions", Chat(front), methods=["POST"]),
        Route("/v1/models", web.models),
        Route("/v1/models/{name:path}", web.model),
        Route("/health", web.health),
        Route("/metrics", web.metrics),
        Route("/openapi.json", web.openapi),
    ]
    handlers = {
        ApiError: api_error,
        HTTPException: http_error,
        ClientDisconnect: gone,
        Exception: broken,
    }
    inner = Starlette(routes=routes, exception_handlers=handlers)
    inner.router.redirect_slashes = False
    return Outer(inner, front)


class Outer:
    """Keeps `send` as the server gave it, which streams write to without Starlette's layers on
    top, and asks for the API key where there is one."""

    def __init__(self, inner: Callable, front: Front) -> None:
        self._inner, self._front = inner, front

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] == "http":
            scope[SEND] = send
            key = self._front.options.key
            if key and scope["path"].startswith("/v1") and not _has_key(scope["headers"], key):
                error = ApiError(401, "give the API key as `Authorization: Bearer …`")
                await api_error(None, error)(scope, receive, send)
                return
        await self._inner(scope, receive, send)


def _has_key(headers: list[tuple[bytes, bytes]], key: str) -> bool:
    wanted = b"Bearer " + key.encode()
    return any(n == b"authorization" and hmac.compare_digest(v, wanted) for n, v in headers)


def api_error(_: HttpRequest | None, error: ApiError) -> Response:
    """The response to an error of ours."""
    return Response(error.body, error.status, dict(error.headers), JSON)


def http_error(_: HttpRequest, error: HTTPException) -> Response:
    """To one of Starlette's: no such path, no such method."""
    body = error_body(error.detail, kind(error.status_code), code=error.status_code)
    return Response(body, error.status_code, error.headers, JSON)


def broken(_: HttpRequest, error: Exception) -> Response:
    """To one that should not be."""
    return Response(error_body("the server failed", "server_error", code=500), 500, None, JSON)


def gone(_: HttpRequest, error: ClientDisconnect) -> Response:
    """To nobody: the client left in mid-request."""
    return Response(b"", 400)


class Web:
    """What is asked with GET."""

    def __init__(self, front: Front) -> None:
        self._front = front

    async def models(self, _: HttpRequest) -> Response:
        """The one model there is."""
        return _json({"object": "list", "data": [self._card()]})

    async def model(self, request: HttpRequest) -> Response:
        """The model of this name."""
        name = request.path_params["name"]
        if name != self._front.name:
            raise no_model(name, self._front.name)
        return _json(self._card())

    async def health(self, _: HttpRequest) -> Response:
        """200 while requests are taken; else 503 and why not."""
        front = self._front
        state = "shutting down" if front.draining else front.backend.state
        ready = state == "ready"
        about = {"status": "ok" if ready else state, "why": front.backend.why}
        return _json(about, 200 if ready else 503)

    async def metrics(self, _: HttpRequest) -> Response:
        """Prometheus' text."""
        return Response(exposition(self._front), 200, None, CONTENT_TYPE)

    async def openapi(self, _: HttpRequest) -> Response:
        """What can be asked, for programs."""
        return _json(description())

    def _card(self) -> dict:
        front = self._front
        return {
            "id": front.name, "object": "model", "created": front.created,
            "owned_by": "constraintlab", "max_model_len": front.longest,
        }  # fmt: skip


def _json(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, None, JSON)
