"""The engine's own process: `python -m constraintlab.engine.worker`, started by `EngineProcess`.

Commands come in on stdin, messages go out on stdout, as pickles; what is printed goes to stderr.
When stdin ends, whoever started it is gone, and so is this process.
"""

from __future__ import annotations

import os
import pickle
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from constraintlab.engine.books import Bills
from constraintlab.engine.loop import Engine
from constraintlab.engine.meter import Meter
from constraintlab.engine.outlet import Outlet
from constraintlab.engine.request import Request
from constraintlab.engine.setup import Setup, build, load_for, vocabulary, warm
from constraintlab.engine.step import Emitted, Step
from constraintlab.engine.wire import Facts, Tick, pack, receive

EVERY = 0.1
"""Seconds between two reports."""


def main() -> None:
    """Read a setup, build the engine, serve until told to stop."""
    source, out = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    commands: queue.SimpleQueue = queue.SimpleQueue()
    status = 1
    try:
        setup = receive(source)
        threading.Thread(target=_listen, args=(source, commands), daemon=True).start()
        loaded = load_for(setup)
        warm(setup, loaded)
        engine, vocab = build(setup, loaded), vocabulary(loaded)
        outlet = Outlet(setup.interval)
        Worker(engine, commands, out, lambda new: build(new, loaded), vocab, outlet).run()
        status = 0
    except ValueError as error:
        _send(out, "failed", error)
    except BaseException as error:
        traceback.print_exc()
        _send(out, "failed", f"{type(error).__name__}: {error}")
    finally:
        sys.stderr.flush()
        # The listening thread sits in a read for ever; an interpreter that ends in order stumbles
        # over that.
        os._exit(status)


def _listen(source: BinaryIO, commands: queue.SimpleQueue) -> None:
    try:
        while True:
            commands.put(receive(source))
    except (EOFError, OSError, pickle.UnpicklingError):
        # Whoever started this is gone: nobody reads answers, and nothing is worth finishing.
        os._exit(0)


def _send(out: BinaryIO, *message) -> None:
    try:
        out.write(pack(message))
        out.flush()
    except BrokenPipeError:
        os._exit(0)


class Worker:
    """The loop around an engine: commands in, steps, messages out. rebuild: of another setup."""

    def __init__(
        self,
        engine: Engine,
        commands: queue.SimpleQueue,
        out: BinaryIO,
        rebuild: Callable[[Setup], Engine],
        vocab: int = 0,
        outlet: Outlet | None = None,
    ) -> None:
        self.engine, self.commands, self.out, self._rebuild = engine, commands, out, rebuild
        self._vocab, self._outlet = vocab, outlet or Outlet()
        self.meter = Meter(engine)
        self._requests: dict[int, Request] = {}
        self._told = self._worked = 0.0
        self._going, self._changed = True, False

    def run(self) -> None:
        """Until `stop`. While nothing runs it sleeps, and reports once more when it falls idle."""
        _send(self.out, "ready", self._facts())
        while self._going:
            for command in self._commands():
                getattr(self, f"_{command[0]}")(*command[1:])
            if not self.engine.idle:
                step = self.engine.step()
                now = time.monotonic()
                bills = self.meter.stepped(step, now - self._worked, now)
                self._worked = now
                self._bill(bills)
                self._tell(step, now)
            if self._changed and (self.engine.idle or time.monotonic() - self._told >= EVERY):
                self._report()
        _send(self.out, "stopped")

    def _commands(self) -> Iterator[tuple]:
        if self.engine.idle:
            began = time.monotonic()
            command, now = self.commands.get(), time.monotonic()
            self.meter.totals["rest"] += now - began
            if self.engine.busy:
                self.meter.rested(now - self._worked, now)
            self._worked = now
            yield command
        while not self.commands.empty():
            yield self.commands.get()

    def _facts(self) -> Facts:
        kv = self.engine.kv
        slots, longest = self.engine.budget.slots, self.engine.longest
        return Facts(kv.units, kv.block_size, slots, longest, self._vocab)

    def _submit(self, number: int, request: Request) -> None:
        why = self.engine.submit(request)
        if why:
            _send(self.out, "refused", number, why)
            return
        self._requests[number] = request
        request.id = number
        self.meter.submitted(request)
        self._changed = True

    def _hold(self, number: int) -> None:
        request = self._requests.get(number)
        if request is not None:
            self.engine.hold(request)

    def _resume(self, number: int) -> None:
        request = self._requests.get(number)
        if request is not None:
            self.engine.resume(request)

    def _cancel(self, number: int) -> None:
        request = self._requests.get(number)
        if request is None:
            return
        self.engine.cancel(request)
        now = time.monotonic()
        self._bill({request: self.meter.ended(request, now)})
        self._changed = True
        self._emit([Emitted(request, None, "", "cancelled")], now, None)

    def _bill(self, bills: Bills) -> None:
        if bills:
            _send(self.out, "billed", {r.id: bill for r, bill in bills.items()})

    def _tell(self, step: Step, now: float) -> None:
        began = time.thread_time()
        kv, running = step.kv, len(self.engine.running)
        tick = Tick(
            now - sum(step.seconds),
            [r.id for r in step.admitted],
            step.decodes + step.prefill,
            step.preempted,
            running,
            step.waiting,
            (kv.capacity, kv.reserved, kv.used),
        )
        self._emit(step.emitted, now, tick)
        self._changed = True
        self.meter.totals["tell"] += time.thread_time() - began

    def _emit(self, emitted: Sequence[Emitted], now: float, tick: Tick | None) -> None:
        _send(self.out, "stepped", now, self._outlet.lines(emitted), tick)
        for e in emitted:
            if e.finished:
                del self._requests[e.request.id]

    def _switch(self, setup: Setup) -> None:
        self.engine.switch(setup.scheduler())

    def _change(self, setup: Setup) -> None:
        try:
            self.engine = self._rebuild(setup)
        except ValueError as error:
            _send(self.out, "failed", error)
            return
        self.meter, self._outlet = Meter(self.engine), Outlet(setup.interval)
        _send(self.out, "ready", self._facts())

    def _ask(self) -> None:
        self._report()

    def _report(self) -> None:
        self._told, self._changed = time.monotonic(), False
        _send(self.out, "report", self.meter.report())

    def _stop(self) -> None:
        self._going = False


if __name__ == "__main__":
    main()
