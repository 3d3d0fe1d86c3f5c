"""/v1/completions and /v1/chat/completions: from a body to an answer, streamed or whole."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect

from constraintlab.engine.request import Request, Sampling
from constraintlab.serving.errors import ApiError, no_model
from constraintlab.serving.events import Events, timings
from constraintlab.serving.front import Front
from constraintlab.serving.outbox import Outbox
from constraintlab.serving.schema import ChatRequest, Common, CompletionRequest, StreamOptions
from constraintlab.serving.schema import decode as decode_as
from constraintlab.serving.sink import Whole
from constraintlab.serving.stream import Stream

SEND = "constraintlab.send"
"""Where in the scope the server's own `send` is."""

CONNECTION = "constraintlab.connection"
"""Where a `stream.Connection` is, if the server has one."""

STREAM_HEAD = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    # Proxies collect a response before they pass it on, unless told not to.
    (b"x-accel-buffering", b"no"),
]


class Completions:
    """An ASGI application for one path."""

    kind: type[Common] = CompletionRequest
    chat = False

    def __init__(self, front: Front) -> None:
        self._front = front

    async def tokens(self, body: CompletionRequest) -> list[int]:
        """The prompt's."""
        return await self._front.prompts.completion(body.text)

    def whole(self, text: str, reason: str) -> dict:
        """A choice of an answer that is not streamed."""
        return {"index": 0, "text": text, "logprobs": None, "finish_reason": reason}

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        front = self._front
        try:
            body = decode_as(await read(scope, receive, front), self.kind)
            if body.model not in (None, front.name):
                raise no_model(body.model, front.name)
            request = self._request(await self.tokens(body), body)
        except ApiError as error:
            front.counts.rejected["invalid"] += error.status < 500
            raise
        front.enter(request)
        if body.stream:
            await self._stream(body, request, scope, receive, send)
        else:
            await self._whole(request, receive, send)

    def _request(self, tokens: list[int], body: Common) -> Request:
        stop = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
        sampling = Sampling(
            body.most or self._front.room(len(tokens)),
            temperature=1.0 if body.temperature is None else body.temperature,
            top_p=1.0 if body.top_p is None else body.top_p,
            seed=body.seed,
            stop=tuple(filter(None, stop)),
            stop_tokens=() if body.ignore_eos else tuple(self._front.ends),
        )
        return Request(0, tokens, sampling)

    async def _stream(
        self, body: Common, request: Request, scope: dict, receive: Callable, send: Callable
    ) -> None:
        front = self._front
        asked = body.stream_options or StreamOptions()
        events = Events(
            self._id(),
            front.name,
            int(time.time()),
            chat=self.chat,
            usage=asked.include_usage,
            running=asked.continuous_usage_stats,
        )
        outbox = Outbox(front.options.slow, front.options.stream_interval)
        stream = Stream(
            len(request.prompt), outbox, events, scope[SEND], front, scope.get(CONNECTION)
        )
        front.open(stream)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": STREAM_HEAD})
            front.submit(request, stream)
            # It ends when the reader leaves, and when the last event has been sent.
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            front.leave(stream)

    async def _whole(self, request: Request, receive: Callable, send: Callable) -> None:
        front, sink = self._front, Whole(len(request.prompt))
        listening = asyncio.ensure_future(_left(receive))
        try:
            front.submit(request, sink)
            await asyncio.wait({sink.done, listening}, return_when=asyncio.FIRST_COMPLETED)
            if not sink.done.done():
                return
            choice = self.whole(sink.done.result(), sink.finished)
        finally:
            listening.cancel()
            front.leave(sink)
        answer = {
            "id": self._id(),
            "object": "chat.completion" if self.chat else "text_completion",
            "created": int(time.time()),
            "model": front.name,
            "choices": [choice],
            "usage": sink.usage.json,
            **timings(sink.bill),
        }
        await respond(send, answer)

    def _id(self) -> str:
        return f"{'chatcmpl' if self.chat else 'cmpl'}-{uuid.uuid4().hex}"


class Chat(Completions):
    """The same for a conversation."""

    kind = ChatRequest
    chat = True

    async def tokens(self, body: ChatRequest) -> list[int]:
        """The conversation's."""
        return await self._front.prompts.chat(body.messages)

    def whole(self, text: str, reason: str) -> dict:
        """See `Completions`."""
        message = {"role": "assistant", "content": text}
        return {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}


async def respond(send: Callable, content: Any) -> None:
    """A body of JSON with status 200."""
    data = msgspec.json.encode(content)
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(data))]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": data})


async def read(scope: dict, receive: Callable, front: Front) -> bytes:
    """The request's body. ApiError 413 for a long one, 408 for one that doesn't come."""
    limit, seconds = front.options.body, front.options.body_seconds
    large = ApiError(413, f"the body has more than {limit} bytes", code="body_too_large")
    for name, value in scope["headers"]:
        if name == b"content-length" and int(value) > limit:
            raise large
    parts, size = [], 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limit:
                    raise large
                if not message.get("more_body"):
                    return b"".join(parts)
    except TimeoutError:
        why = f"the body did not arrive within {seconds:g} s"
        raise ApiError(408, why, code="body_timeout") from None


async def _left(receive: Callable) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
