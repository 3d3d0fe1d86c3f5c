"""`Backend`: the engine's process as the front end's event loop sees it; restarted if it dies."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from constraintlab.engine.child import Child, EngineDied
from constraintlab.engine.ledger import Bill
from constraintlab.engine.report import Report
from constraintlab.engine.setup import Setup
from constraintlab.engine.wire import Facts, Splitter, Tick

READ = 1 << 16
"""Bytes read at once: what a pipe holds. Much more, and each read would map fresh memory."""

WITHIN = 600.0
"""Seconds in which restarts are counted."""


class Hearer(Protocol):
    """Who is told what the engine says."""

    def on_step(self, now: float, lines: Sequence[tuple], tick: Tick | None) -> None:
        """A step's (number, token, text, how it finished), and what else it did."""

    def on_bills(self, bills: Mapping[int, Bill]) -> None:
        """Of requests, by their numbers, that end with what it is told next."""

    def on_refused(self, number: int, why: str) -> None:
        """A request that can't run."""

    def on_report(self, report: Report) -> None:
        """What the engine has done so far."""

    def on_died(self, why: str) -> None:
        """The engine is gone, with all that it ran."""


class Backend:
    """One engine at a time. state: `starting`, `ready`, `changing`, `restarting`, `dead` or
    `closed`.

    Messages are read from the pipe by the event loop itself, all that there are in one wake-up:
    a thread between would cost two more, and the lock that Python's threads share.
    """

    def __init__(self, setup: Setup, hearer: Hearer, restarts: int = 3) -> None:
        self.setup, self._hearer, self._restarts = setup, hearer, restarts
        self.state, self.why = "starting", ""
        self.facts: Facts | None = None
        self.receiving = 0.0
        """Core-seconds spent on reading messages."""
        self._deaths: deque[float] = deque()
        self._child: Child | None = None
        self._tasks: set[asyncio.Task] = set()

    @property
    def pid(self) -> int:
        """Of the engine's process."""
        return self._child.pid

    async def start(self) -> None:
        """Start it and wait until it is ready. ValueError for a setup that can't be built."""
        await self._launch()

    async def _launch(self) -> None:
        self._child, self._split = Child(self.setup), Splitter()
        self._last_words: str | ValueError = ""
        self._ready = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(self._child.out.fileno(), self._read)
        await self._ready

    async def change(self, setup: Setup) -> None:
        """Another setup of the same model in the same process, while nothing runs. ValueError, and
        the engine stays as it was, for what can't be built or only a new process can have;
        EngineDied where it is not there."""
        self.setup.check_change(setup)
        if self.state != "ready":
            raise EngineDied(f"the engine is {self.state}: {self.why or 'wait for it'}")
        self.state = "changing"
        self._ready = asyncio.get_running_loop().create_future()
        self._child.tell(("change", setup))
        await self._ready
        self.setup = setup

    def tell(self, *command: Any) -> None:
        """Send a command, unless the engine is gone."""
        if self.state == "ready":
            self._child.tell(command)

    async def close(self) -> None:
        """Stop it and wait for its end."""
        if self.state == "closed":
            return
        self.state = "closed"
        asyncio.get_running_loop().remove_reader(self._child.out.fileno())
        for task in self._tasks:
            task.cancel()
        self._child.stop()
        # Nobody reads what it still says; a closed pipe ends it if it waits for room there.
        self._child.out.close()
        await asyncio.to_thread(self._child.reap)

    def _read(self) -> None:
        began = time.thread_time()
        data = os.read(self._child.out.fileno(), READ)
        messages = list(self._split.feed(data))
        self.receiving += time.thread_time() - began
        for kind, *rest in messages:
            getattr(self, f"_on_{kind}")(*rest)
        if not data:
            asyncio.get_running_loop().remove_reader(self._child.out.fileno())
            task = asyncio.ensure_future(self._bury())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _on_stepped(self, now: float, lines: Sequence[tuple], tick: Tick | None) -> None:
        self._hearer.on_step(now, lines, tick)

    def _on_billed(self, bills: Mapping[int, Bill]) -> None:
        self._hearer.on_bills(bills)

    def _on_report(self, report: Report) -> None:
        self._hearer.on_report(report)

    def _on_refused(self, number: int, why: str) -> None:
        self._hearer.on_refused(number, why)

    def _on_ready(self, facts: Facts) -> None:
        self.facts, self.state, self.why = facts, "ready", ""
        self._ready.set_result(None)

    def _on_failed(self, why: str | ValueError) -> None:
        if self.state == "changing" and isinstance(why, ValueError):
            self.state = "ready"
            self._ready.set_exception(why)
            return
        self._last_words = why if isinstance(why, ValueError) else f"the engine stopped with {why}"

    def _on_stopped(self) -> None:
        """It says good-bye; the end of its output follows."""

    async def _bury(self) -> None:
        """It died: say so, and start another one if it did not die too often."""
        first, words = not self._ready.done(), self._last_words
        self.why = str(words)
        if not isinstance(words, ValueError):
            self.why = await asyncio.to_thread(self._child.obituary, words)
        await asyncio.to_thread(self._child.reap, keep_log=not isinstance(words, ValueError))
        was, self.state = self.state, "dead"
        if was in ("starting", "changing"):
            self._ready.set_exception(
                words if isinstance(words, ValueError) else EngineDied(self.why)
            )
        if was == "starting":
            return
        if first and was == "restarting":
            self._ready.cancel()
        else:
            self._hearer.on_died(self.why)
        if self._may_restart(time.monotonic()):
            self.state = "restarting"
            await self._launch()

    def _may_restart(self, now: float) -> bool:
        while self._deaths and now - self._deaths[0] > WITHIN:
            self._deaths.popleft()
        self._deaths.append(now)
        return len(self._deaths) <= self._restarts
