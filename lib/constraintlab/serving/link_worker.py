"""The link's own process: `python -m constraintlab.serving.link_worker`, started by `Link`.

A line of JSON on stdin is a command, a line on stdout its answer. When stdin ends, whoever
started it is gone, and so is this process.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import threading

from constraintlab.serving.link_hub import Hub
from constraintlab.serving.link_pair import packets
from constraintlab.serving.link_settings import Settings


def main() -> None:
    """Read what to do from the first line of stdin and do it."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    job = json.loads(sys.stdin.readline())
    try:
        with asyncio.Runner(loop_factory=_loop()) as runner:
            runner.run(serve(job, sys.stdin, out))
    except OSError as error:
        print(json.dumps({"failed": str(error)}), file=out, flush=True)
        os._exit(1)


async def serve(job: dict, source, out) -> None:
    """Until stdin ends. The first answer is the port."""
    listener = socket.create_server((job["bind"], job["listen"]), backlog=1024)
    packets(listener)
    # Sockets that are accepted have the listener's buffers.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, job["buffer"])
    hub = Hub(
        job["host"], job["port"], Settings(**job["settings"]), job["queue"], job["buffer"],
        job["seed"],
    )  # fmt: skip
    server = await hub.loop.create_server(hub.open, sock=listener)

    def say(what: dict) -> None:
        print(json.dumps(what), file=out, flush=True)

    def answer(command: dict) -> None:
        name, said = command["do"], {}
        if name == "set":
            hub.set(Settings(**command["settings"]))
        elif name == "stall":
            hub.stall(command["seconds"])
        else:
            said = hub.stats()
        say(said)

    def listen() -> None:
        for line in source:
            hub.loop.call_soon_threadsafe(answer, json.loads(line))
        os._exit(0)

    say({"port": listener.getsockname()[1]})
    threading.Thread(target=listen, daemon=True).start()
    async with server:
        await hub.watch()


def _loop():
    try:
        import uvloop
    except ImportError:  # not on Windows
        return None
    return uvloop.new_event_loop


if __name__ == "__main__":
    main()
