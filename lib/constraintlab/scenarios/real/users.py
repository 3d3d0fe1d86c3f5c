"""`Users`: a scenario's workload put to a server: a closed load of users who ask again, or an open
one; some of them read slowly. What is asked is as on the virtual clock, request by request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable

import aiohttp

from constraintlab.engine.virtual.stations import Stream as Asked
from constraintlab.load.ask import Ask
from constraintlab.load.client import Client
from constraintlab.load.record import Record
from constraintlab.load.stream import Stream
from constraintlab.load.target import Target
from constraintlab.scenarios.run import WARM, Workload
from constraintlab.scenarios.scenario import Scenario

VOCAB = 4000
"""Token ids that prompts are made of."""


class Users(Client):
    """Use one `serve` of it. records: of all requests, also of those that were under way at the
    end; asked: by index; marks: when counting began and when the last request came, in seconds of
    the run; start: of the run, on time.monotonic's clock."""

    def __init__(self, target: Target, scenario: Scenario, seed: int) -> None:
        super().__init__(target, self._took)
        self.records: list[Record] = []
        self.asked: dict[int, Asked] = {}
        self.marks: list[float] = []
        self.start = 0.0
        self._scenario, self._workload = scenario, Workload(scenario, seed)
        self._first = self._workload.first()
        self._free: asyncio.Queue[Asked] = asyncio.Queue()
        warm = scenario.users + int(WARM * (scenario.requests - scenario.users))
        self._mark = {warm, scenario.requests}

    async def serve(self) -> None:
        """Until the scenario's last request comes; who is still there is hung up on."""
        self.start = time.monotonic()
        coming = (self._first[i].arrival if i < len(self._first) else 0.0
                  for i in range(self._scenario.requests))  # fmt: skip
        await self.run((Ask(i, at, (1,), 1) for i, at in enumerate(coming)), self.start)

    async def _due(self, at: float) -> float | None:
        sent = len(self.asked)
        if sent < len(self._first):
            due, asked = await super()._due(at), self._first[sent]
        else:
            asked = self._workload.after(await self._free.get(), self.now)
            due = self.now
        self.asked[sent] = asked
        return due

    def _send(self, ask: Ask, due: float, session: aiohttp.ClientSession) -> None:
        asked = self.asked[ask.index]
        prompt = tuple((37 * ask.index + i) % VOCAB + 300 for i in range(asked.size))
        whole = Ask(ask.index, due, prompt, asked.sampling.max_tokens, exact=True)
        reader = Reader(asked.gap, lambda: self.now)
        stream = Stream(whole, self.target, due, lambda: self.now, reader.rest, reader.heard)
        self._sent += 1
        self._streams[ask.index] = stream
        task = asyncio.create_task(self._read(stream, session))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._sent in self._mark:
            self.marks.append(self.now)
        if self._sent == self._scenario.requests:
            self.stop()

    def _took(self, record: Record) -> None:
        self.records.append(record)
        if record.ok and not self._scenario.open:
            self._free.put_nowait(self.asked[record.index])


class Reader:
    """Takes `gap` seconds for each token; 0 for whatever comes."""

    def __init__(self, gap: float, clock) -> None:
        self._gap, self._clock = gap, clock
        self._new, self._until = 0, 0.0

    def heard(self, tokens: int) -> None:
        """So many more have come."""
        self._new += tokens

    def rest(self, n: int) -> Awaitable[None] | None:
        """What is awaited before more is read."""
        if not self._gap or not self._new:
            return None
        self._until = max(self._until, self._clock()) + self._gap * self._new
        self._new = 0
        return asyncio.sleep(self._until - self._clock())
