"""A small OpenAI-like server on loopback that does what a script says, and its pieces."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, contextmanager
from threading import Event, Thread

from aiohttp import web


def event(data):
    """One SSE event of a string or of something to write as JSON."""
    text = data if isinstance(data, str) else json.dumps(data)
    return f"data: {text}\n\n".encode()


def token(text, **more):
    """A completion's chunk."""
    return event({"choices": [{"index": 0, "text": text}], **more})


def usage(prompt, output, **more):
    """The last chunk, as `include_usage` asks for it."""
    said = {"prompt_tokens": prompt, "completion_tokens": output}
    return event({"choices": [], "usage": said, **more})


DONE = event("[DONE]")


async def stream(request, pieces):
    """Streams bytes; a number among them is a sleep in seconds."""
    answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    answer.enable_chunked_encoding()
    await answer.prepare(request)
    for piece in pieces:
        if isinstance(piece, bytes):
            await answer.write(piece)
        else:
            await asyncio.sleep(piece)
    await answer.write_eof()
    return answer


def tokens(n, gap=0.0, prompt=5):
    """The pieces of an answer of n tokens."""
    return [x for i in range(n) for x in (token(f"{i % 10}"), gap)] + [usage(prompt, n), DONE]


@asynccontextmanager
async def serving(handler, models=("tiny",), check=None):
    """The server's URL, while it runs. handler: of both completions endpoints."""
    app = web.Application()

    async def listed(request):
        if check is not None and (refused := check(request)) is not None:
            return refused
        return web.json_response({"object": "list", "data": [{"id": m} for m in models]})

    app.router.add_get("/v1/models", listed)
    app.router.add_post("/v1/completions", handler)
    app.router.add_post("/v1/chat/completions", handler)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = site._server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@contextmanager
def elsewhere(handler):
    """The scripted server on a thread of its own."""
    url, stop, ready = [], [], Event()

    async def main():
        async with serving(handler) as at:
            stop.append((asyncio.get_running_loop(), asyncio.Event()))
            url.append(at)
            ready.set()
            await stop[0][1].wait()

    thread = Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield url[0]
    finally:
        loop, event = stop[0]
        loop.call_soon_threadsafe(event.set)
        thread.join(10)
