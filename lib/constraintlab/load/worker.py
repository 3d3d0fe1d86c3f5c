"""A load client in a process of its own: `python -m constraintlab.load.worker`, started by `Fleet`.

A job comes in on stdin and then commands; records and counters go out on stdout, all as pickles.
When stdin ends, whoever started it is gone, and so is this process.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import queue
import sys
import threading
import time

from constraintlab.load.job import Job, Spent

EVERY = 0.1
"""Seconds between two reports of the counters."""


class Worker:
    """Runs one job. Messages leave through a thread: a slow pipe must not delay a token's time."""

    def __init__(self, job: Job, source, out) -> None:
        self._job, self._source, self._out = job, source, out
        self._outbox: queue.SimpleQueue = queue.SimpleQueue()
        self._records: list = []
        self._client = job.client(self._records.append)

    async def run(self) -> None:
        """From `ready` to `done`; the run starts at the moment that the parent names."""
        writer = threading.Thread(target=self._write, daemon=True)
        writer.start()
        loop, started = asyncio.get_running_loop(), asyncio.Future()
        threading.Thread(target=self._listen, args=(loop, started), daemon=True).start()
        self._tell("ready")
        start = await started
        cpu = time.process_time()
        ticks = asyncio.create_task(self._tick())
        try:
            await self._client.run(self._job.workload.asks(self._job.part, self._job.of), start)
        finally:
            ticks.cancel()
        self._report()
        spent = Spent(time.process_time() - cpu, self._client.now, tuple(self._client.lags))
        self._tell("done", spent)
        self._outbox.put(None)
        await asyncio.to_thread(writer.join)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            self._report()

    def _report(self) -> None:
        records = self._records[:]
        del self._records[:]
        self._tell("seen_so_far", records, self._client.counters(), self._client.lanes())

    def _tell(self, *message: object) -> None:
        self._outbox.put(message)

    def _write(self) -> None:
        try:
            while (message := self._outbox.get()) is not None:
                self._out.write(pickle.dumps(message, protocol=5))
                self._out.flush()
        except OSError:
            os._exit(0)

    def _listen(self, loop: asyncio.AbstractEventLoop, started: asyncio.Future) -> None:
        try:
            loop.call_soon_threadsafe(started.set_result, pickle.load(self._source))
            while True:
                name, *values = pickle.load(self._source)
                loop.call_soon_threadsafe(getattr(self._client, name), *values)
        except (EOFError, OSError, pickle.UnpicklingError):
            os._exit(0)


def main() -> None:
    """Read a job and run it."""
    source, out = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    with asyncio.Runner(loop_factory=_loop()) as runner:
        runner.run(Worker(pickle.load(source), source, out).run())
    sys.stderr.flush()
    # The listening thread sits in a read for ever; an interpreter that ends in order would wait.
    os._exit(0)


def _loop():
    try:
        import uvloop
    except ImportError:  # not on Windows
        return None
    return uvloop.new_event_loop


if __name__ == "__main__":
    main()
