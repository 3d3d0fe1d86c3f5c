"""A server in this process: uvicorn around the front end, from the engine's start to its end.

`python -m constraintlab.serving.run` is how `launch.Server` starts one: it reads its setup from
stdin, writes the URL to stdout, and ends when stdin does. Further setups on stdin, each with its
tokens to an event, change the engine; each is answered with a line on stdout, empty if it was
done, else why not.
"""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import socket
import sys
from collections.abc import Callable

import uvicorn

from constraintlab.engine.child import EngineDied
from constraintlab.engine.setup import Setup
from constraintlab.engine.wire import Splitter
from constraintlab.serving.app import app
from constraintlab.serving.front import Front
from constraintlab.serving.guard import guarded
from constraintlab.serving.options import Options

BACKLOG = 4096


class Serving(uvicorn.Server):
    """uvicorn's server with an engine behind it. ready: called with the URL, and with an answer to
    each further setup; parent: a file with those, whose end means that whoever started this is
    gone."""

    def __init__(
        self,
        setup: Setup,
        options: Options,
        ready: Callable[[str], object] = print,
        parent: int | None = None,
    ) -> None:
        self.front = Front(setup, options)
        self._options, self._ready, self._parent = options, ready, parent
        self._grace, self._split = options.grace, Splitter()
        self._changes: set[asyncio.Task] = set()
        config = uvicorn.Config(
            app(self.front),
            http=guarded(options),
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=int(options.grace) + 5,
            backlog=BACKLOG,
        )
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """The engine first: a server that listens also answers."""
        await self.front.start()
        await super().startup(sockets)
        if self._parent is not None:
            asyncio.get_running_loop().add_reader(self._parent, self._heard)
        # What is there now stays: looking through it again and again would be time lost.
        gc.collect()
        gc.freeze()
        host, port = sockets[0].getsockname()[:2]
        self._ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """No new requests; streams may end by themselves for a while, then with an error."""
        self.front.draining = True
        why = "the server has shut down"
        ending = asyncio.get_running_loop().call_later(
            self._grace, self.front.end_all, "shutdown", why
        )
        try:
            await super().shutdown(sockets)
        finally:
            ending.cancel()
            await self.front.close()

    def _heard(self) -> None:
        said = os.read(self._parent, 1 << 16)
        if said:
            for setup, interval in self._split.feed(said):
                task = asyncio.ensure_future(self._change(setup, interval))
                self._changes.add(task)
                task.add_done_callback(self._changes.discard)
            return
        asyncio.get_running_loop().remove_reader(self._parent)
        self._grace, self.should_exit = 0.0, True

    async def _change(self, setup: Setup, interval: int) -> None:
        try:
            await self.front.change(setup, interval)
        except (ValueError, EngineDied) as error:
            self._ready(" ".join(str(error).split()))
        else:
            self._ready("")


def listen(options: Options) -> socket.socket:
    """A socket that is bound, but not listening yet. OSError where that can't be."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Connections inherit it: a reader that stops reading is noticed after this much.
    found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, options.send_buffer)
    try:
        found.bind((options.host, options.port))
    except OSError as error:
        found.close()
        where = f"{options.host}:{options.port}"
        raise OSError(f"can't listen on {where}: {error.strerror}; choose another port") from None
    return found


def run(
    setup: Setup,
    options: Options,
    ready: Callable[[str], object] = print,
    parent: int | None = None,
) -> None:
    """Serve until a signal ends it. ValueError, OSError or EngineDied where it can't start."""
    where = listen(options)
    try:
        Serving(setup, options, ready, parent).run(sockets=[where])
    finally:
        where.close()


def main() -> int:
    """Of the process that `launch.Server` starts."""
    source = os.fdopen(os.dup(0), "rb", buffering=0)
    setup, options = pickle.load(source)
    try:
        run(setup, options, lambda url: print(url, flush=True), source.fileno())
    except (ValueError, OSError, EngineDied) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
