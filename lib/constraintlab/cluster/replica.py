"""`Replica`: an engine in a thread of a Ray actor, and the requests that wait for its tokens."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence

from constraintlab.cluster.layout import Layout
from constraintlab.engine.loop import Engine
from constraintlab.engine.request import Request
from constraintlab.engine.setup import load_for, vocabulary, warm
from constraintlab.engine.step import Emitted
from constraintlab.engine.threaded import Command, EngineThread
from constraintlab.engine.tiers import Simulated
from constraintlab.engine.wire import Facts


class Replica:
    """What a prefill and a decode replica have in common.

    Each request has a mailbox that its coroutine empties whenever it gets to: a reader that is
    late gets several tokens at once, and the engine waits for nobody.
    """

    def __init__(self, layout: Layout, make: Callable) -> None:
        setup = layout.setup
        loaded = load_for(setup)
        self.engine, self.identity = make(setup, loaded)
        warm(setup, loaded)
        if layout.seconds:
            self.engine.model = Simulated(self.engine.model, layout.seconds)
        self._vocab = vocabulary(loaded)
        self._boxes: dict[Request, Box] = {}
        self._taken = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = EngineThread(self.engine, self._heard, self._died)

    async def facts(self) -> Facts:
        """Of this replica's engine."""
        kv, engine = self.engine.kv, self.engine
        return Facts(kv.units, kv.block_size, engine.budget.slots, engine.longest, self._vocab)

    async def look(self) -> dict[str, float]:
        """This replica now: process id, requests taken so far, those that wait and that run, and
        KV tokens reserved."""
        engine = self.engine
        return {
            "pid": os.getpid(),
            "taken": self._taken,
            "waiting": len(engine.waiting),
            "running": len(engine.running),
            "kv_reserved": engine.kv.stats().reserved,
        }

    def check_health(self) -> None:
        """Ray Serve asks; a replica whose engine has stopped is replaced."""
        if self._thread.failure is not None:
            raise RuntimeError(f"the engine stopped with {self._thread.failure!r}")

    def open(self, request: Request, command: Callable[[Engine], Sequence[Emitted]]) -> Box:
        """Start a request with a command to the engine; ValueError in its box if it refuses."""
        self._loop = asyncio.get_running_loop()
        self._taken += 1
        box = self._boxes[request] = Box()

        def run(engine: Engine) -> Sequence[Emitted]:
            try:
                return command(engine)
            except ValueError as error:
                if request.finish_reason is None:
                    request.finish("refused")
                self._loop.call_soon_threadsafe(box.fail, error)
                return ()

        self.do(run)
        return box

    def do(self, command: Command) -> None:
        """Between two steps."""
        self._thread.do(command)

    def shut(self, request: Request) -> None:
        """Nobody waits for it any more; it ends, if it has not."""
        del self._boxes[request]
        if request.finish_reason is None:
            self.do(lambda engine: engine.cancel(request) or ())

    def _heard(self, emitted: Sequence[Emitted]) -> None:
        self._loop.call_soon_threadsafe(self._deliver, emitted)

    def _deliver(self, emitted: Sequence[Emitted]) -> None:
        for one in emitted:
            box = self._boxes.get(one.request)
            if box is not None:
                box.put(one)

    def _died(self, error: Exception) -> None:
        def tell() -> None:
            for box in self._boxes.values():
                box.fail(RuntimeError(f"the engine stopped with {error!r}"))

        if self._loop is not None:
            self._loop.call_soon_threadsafe(tell)


class Box:
    """What a request got and nobody has taken yet."""

    def __init__(self) -> None:
        self._some, self._changed = [], asyncio.Event()
        self._error: Exception | None = None

    def put(self, emitted: Emitted) -> None:
        """More of it."""
        self._some.append(emitted)
        self._changed.set()

    def fail(self, error: Exception) -> None:
        """There will be no more."""
        self._error = error
        self._changed.set()

    async def take(self) -> list[Emitted]:
        """All that is there, one or more; raises what it failed with, once all is taken."""
        while not self._some:
            if self._error is not None:
                raise self._error
            self._changed.clear()
            await self._changed.wait()
        some, self._some = self._some, []
        return some
