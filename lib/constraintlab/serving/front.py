"""`Front`: the open requests of a server, between an engine's steps and the readers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from constraintlab.engine.kv.store import KVStore
from constraintlab.engine.ledger import Bill
from constraintlab.engine.refusal import refusal
from constraintlab.engine.report import Report
from constraintlab.engine.request import Request
from constraintlab.engine.setup import Setup, speech
from constraintlab.engine.wire import Tick
from constraintlab.serving.admission import Gate
from constraintlab.serving.backend import Backend
from constraintlab.serving.counts import Counts
from constraintlab.serving.errors import ApiError
from constraintlab.serving.options import Options
from constraintlab.serving.prompts import Prompts
from constraintlab.serving.sink import Sink
from constraintlab.serving.stream import Stream
from constraintlab.serving.totals import Totals

NOTHING = 0, 0, (0, 0, 0)
"""An engine before its first word."""

LOOK = 0.25
"""Seconds between two looks at slow readers."""


class Front:
    """Requests in, tokens out to their sinks, and the order in which slow readers are dealt with.

    An `Owner` of streams and a `Hearer` of the backend. backend: makes another than an engine's
    process, with the same interface, for this setup and this front end.
    """

    def __init__(
        self,
        setup: Setup,
        options: Options,
        clock: Callable[[], float] = time.monotonic,
        backend: Callable[[Setup, Front], Backend] | None = None,
    ) -> None:
        self.setup, self.options, self.clock = setup, options, clock
        told = replace(setup, interval=options.stream_interval)
        self.backend = backend(told, self) if backend else Backend(told, self, options.restarts)
        self.counts, self.totals = Counts(), Totals()
        self.gate = Gate(setup.slots, options.queue)
        self.sinks: dict[int, Sink] = {}
        self.streams: dict[Stream, None] = {}
        self.slow: dict[Stream, None] = {}
        self._now = NOTHING
        self.name, self.created = options.name or setup.model, int(time.time())
        self.draining = False
        self._number, self._before = 0, 0.0
        self._flushing, self._wrote = False, 0.0
        self._looking: asyncio.Task | None = None

    async def start(self) -> None:
        """Start the engine and wait for it."""
        await self.backend.start()
        facts = self.backend.facts
        tokenizer = speech(self.setup.model, facts.vocab)
        self.prompts = Prompts(tokenizer, facts.vocab)
        self.ends: frozenset[int] = tokenizer.eos
        self._store: KVStore = self.setup.store(int(facts.longest))
        self._looking = asyncio.ensure_future(self._look())

    async def change(self, setup: Setup, interval: int | None = None) -> None:
        """Another setup of the same model for the engine, in its process, and so many tokens to an
        event from now on; counters go on. See `Backend.change`; ValueError also while requests are
        open."""
        if self.gate.open:
            raise ValueError(f"{self.gate.open} requests are open: wait for their answers")
        options = replace(self.options, stream_interval=interval or self.options.stream_interval)
        await self.backend.change(replace(setup, interval=options.stream_interval))
        self.totals.restart()
        self.setup, self.options, self._now = setup, options, NOTHING
        self.gate = Gate(setup.slots, self.options.queue)
        self._store = setup.store(int(self.backend.facts.longest))

    async def close(self) -> None:
        """End what is left, and the engine."""
        if self._looking is not None:
            self._looking.cancel()
        self.end_all("shutdown", "the server has shut down")
        await self.backend.close()

    @property
    def longest(self) -> int:
        """Tokens that a request may have, prompt and answer together."""
        facts = self.backend.facts
        return int(min(facts.longest, facts.units * facts.block_size))

    def room(self, prompt: int) -> int:
        """Output tokens that a prompt of so many tokens leaves room for, alone; 1 at least."""
        return max(1, self.longest - prompt)

    def enter(self, request: Request) -> None:
        """Let a request in, before its sink is made. ApiError 400, 429 or 503 if not."""
        if self.draining:
            raise ApiError(503, "the server is shutting down", code="shutdown")
        if self.backend.state != "ready":
            restarts = self.backend.state in ("restarting", "changing")
            what = "is being restarted" if restarts else f"is gone: {self.backend.why}"
            raise ApiError(503, f"the engine {what}", code="engine", retry=1 if restarts else None)
        why = refusal(request, self._store, self.backend.facts.longest, speaks=True)
        if why:
            self.counts.rejected["invalid"] += 1
            raise ApiError(400, why, code="context_length_exceeded")
        if self.gate.full:
            self.counts.rejected["queue"] += 1
            raise ApiError(
                429,
                f"{self.gate.open} requests are open, {self.gate.slots} of them at most run: "
                "try again later",
                code="queue_full",
                retry=self.gate.retry_after(self.clock()),
            )
        self.gate.enter()

    def submit(self, request: Request, sink: Sink) -> None:
        """Start a request that was let in."""
        self._number += 1
        sink.number, sink.arrived = self._number, self.clock()
        request.arrival = sink.arrived
        self.sinks[sink.number] = sink
        self.backend.tell("submit", sink.number, request)
        if self.backend.state != "ready":
            # The engine died between `enter` and now.
            self._fail(sink, ApiError(503, self.backend.why or "the engine is gone"), "engine")

    def open(self, stream: Stream) -> None:
        """A stream begins."""
        self.streams[stream] = None

    def leave(self, sink: Sink) -> None:
        """Nobody reads any more, because it is over or not: then the request ends."""
        if self._forget(sink, "cancelled"):
            self.backend.tell("cancel", sink.number)
        if isinstance(sink, Stream):
            sink.close()
            self.streams.pop(sink, None)
            self.counts.ended[sink.reason] += 1

    def on_step(self, now: float, lines: Sequence[tuple], tick: Tick | None) -> None:
        """See `Hearer`. Everything is framed first, then written."""
        began = time.thread_time()
        if tick is not None:
            self._ticked(tick)
        sinks, before, due, usual, odd = self.sinks, self._before, [], 0, 0
        for number, tokens, text, finished in lines:
            sink = sinks.get(number)
            if sink is None:
                continue
            n = len(tokens)
            if n:
                sink.tokens += n
                if n == 1 and sink.seen == before:
                    usual += 1
                else:
                    odd += n
                    self.counts.unusual(sink, now, n)
                sink.seen = now
            body = sink.put(text, finished, n)
            if body is not None:
                due.append((sink, body))
            if finished:
                self._forget(sink, finished)
        self.counts.generated += usual + odd
        if usual:
            self.counts.itl.add(now - before, usual)
        self._before = now
        framed = time.thread_time()
        for sink, body in due:
            sink.write(body)
        self._wrote = time.thread_time()
        self.counts.framing += framed - began
        self.counts.writing += self._wrote - framed
        if due and not self._flushing:
            # Once a turn of the loop, which hands what was written to the kernel before it runs
            # this: a turn may bring several steps.
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flushed)

    def on_bills(self, bills: Mapping[int, Bill]) -> None:
        """See `Hearer`."""
        for number, bill in bills.items():
            if number in self.sinks:
                self.sinks[number].bill = bill

    def on_refused(self, number: int, why: str) -> None:
        """See `Hearer`."""
        sink = self.sinks.get(number)
        if sink is not None:
            self._fail(sink, ApiError(400, why, code="context_length_exceeded"), "refused")

    def on_lost(self, number: int, why: str) -> None:
        """A request whose engine is gone, where others go on."""
        sink = self.sinks.get(number)
        if sink is not None:
            self._fail(sink, ApiError(503, why, code="engine"), "engine")

    def on_report(self, report: Report) -> None:
        """See `Hearer`."""
        self.totals.take(report)
        self._now = report.running, report.waiting, report.kv

    def engine_now(self) -> tuple[int, int, tuple[int, int, int]]:
        """Requests that run and that wait, and (capacity, reserved, used) tokens of the pool."""
        return self._now

    def on_died(self, why: str) -> None:
        """See `Hearer`."""
        self.totals.restart()
        self._now = NOTHING
        self.end_all("engine", why)

    def end_all(self, reason: str, why: str) -> None:
        """Every open request ends with an error."""
        for sink in list(self.sinks.values()):
            self._fail(sink, ApiError(503, why, code=reason), reason)

    def blocked(self, stream: Stream) -> None:
        """See `Owner`."""
        self.slow[stream] = None

    def unblocked(self, stream: Stream) -> None:
        """See `Owner`."""
        self.slow.pop(stream, None)

    def hold(self, stream: Stream) -> None:
        """See `Owner`."""
        self.backend.tell("hold", stream.number)

    def resume(self, stream: Stream) -> None:
        """See `Owner`."""
        self.backend.tell("resume", stream.number)

    def sent(self, size: int, tokens: int) -> None:
        """See `Owner`."""
        counts = self.counts
        counts.events += 1
        counts.writes += 1
        counts.tokens += tokens
        # A chunk of HTTP/1.1: its length in hexadecimal, and two line ends.
        counts.bytes += size + (size.bit_length() + 3) // 4 + 4

    def _flushed(self) -> None:
        self._flushing = False
        self.counts.writing += time.thread_time() - self._wrote

    def _ticked(self, tick: Tick) -> None:
        self._now = tick.running, tick.waiting, tick.kv
        self.counts.step_tokens.add(tick.tokens)
        self.counts.preempted += tick.preempted
        for number in tick.admitted:
            if number in self.sinks:
                self.counts.began(self.sinks[number], tick.began)

    def _fail(self, sink: Sink, error: ApiError, reason: str) -> None:
        if self._forget(sink, reason):
            self.backend.tell("cancel", sink.number)
        sink.fail(error, reason)

    def _forget(self, sink: Sink, reason: str) -> bool:
        if self.sinks.pop(sink.number, None) is None:
            return False
        self.counts.over(sink, reason)
        self.gate.leave(self.clock())
        return True

    async def _look(self) -> None:
        with suppress(asyncio.CancelledError):
            while True:
                await asyncio.sleep(LOOK)
                now = self.clock()
                for stream in [s for s in self.slow if s.outbox.overdue(now)]:
                    seconds = self.options.slow.patience
                    error = ApiError(408, f"the reader took nothing for {seconds:g} s")
                    self._fail(stream, error, "slow")
