"""`ClientProcess`: one load client elsewhere on this machine, and what it has said so far."""

from __future__ import annotations

import pickle
import subprocess
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress

from constraintlab.engine.spawn import spawn
from constraintlab.load.job import Job, Spent
from constraintlab.load.live import Counters, Lane
from constraintlab.load.record import Record

LOG_LINES = 12
"""Of the log, shown when the client died."""

PATIENCE = 5.0
"""Seconds that the process has to end."""


class ClientProcess:
    """Starts the process, which ends when this one does. It sends nothing before `start`.

    on_seen: called from a thread whenever the client has said something.
    """

    def __init__(self, job: Job, on_seen: Callable[[], object]) -> None:
        self.records: list[Record] = []
        """Only ever appended to."""
        self.counters, self.lanes = Counters(), []
        self.spent: Spent | None = None
        self.died = ""
        self._on_seen, self._ready, self._pipe = on_seen, threading.Event(), threading.Lock()
        self._log = tempfile.TemporaryFile("w+", prefix="constraintlab-load-")  # noqa: SIM115
        self._process = spawn("constraintlab.load.worker", self._log)
        self.tell(job)
        self.thread = threading.Thread(target=self._listen, daemon=True)
        """Alive until the client has said all."""
        self.thread.start()

    def ready(self) -> None:
        """Waits until the client can start, or has died."""
        self._ready.wait()

    def tell(self, message: object) -> None:
        """A job, the moment to start, then commands: (method of Client, values…)."""
        # Where it is gone, the listening thread says why.
        with suppress(OSError, ValueError), self._pipe:
            self._process.stdin.write(pickle.dumps(message, protocol=5))
            self._process.stdin.flush()

    def close(self) -> None:
        """End the process; may be called twice."""
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.thread.join()
        self._process.stdout.close()
        self._log.close()

    def _listen(self) -> None:
        try:
            while self.spent is None:
                kind, *rest = pickle.load(self._process.stdout)
                getattr(self, f"_on_{kind}")(*rest)
        except Exception as error:  # whatever it is, who waits for this thread must hear of it
            self.died = self._obituary(error)
        self._ready.set()

    def _on_ready(self) -> None:
        self._ready.set()

    def _on_seen_so_far(self, records: list[Record], counters: Counters, lanes: list[Lane]) -> None:
        self.records += records
        self.counters, self.lanes = counters, lanes
        self._on_seen()

    def _on_done(self, spent: Spent) -> None:
        self.spent = spent

    def _obituary(self, error: Exception) -> str:
        if not isinstance(error, EOFError):
            return f"a load client can't be understood: {type(error).__name__}: {error}"
        code = self._process.wait()
        self._log.seek(0)
        tail = "\n  ".join(self._log.read().splitlines()[-LOG_LINES:])
        return f"a load client ended with status {code}. The end of its log:\n  {tail}"
