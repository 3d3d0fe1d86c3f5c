"""`Child`: an engine's process from outside: its start, its pipes, its end and its last words."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from contextlib import suppress
from typing import BinaryIO

from constraintlab.engine.setup import Setup
from constraintlab.engine.spawn import spawn
from constraintlab.engine.wire import pack

LOG_LINES = 12
"""Of the log, shown when the engine died."""

PATIENCE = 5.0
"""Seconds that `close` waits for the process before it is killed."""


class EngineDied(RuntimeError):
    """The engine's process ended by itself; the message has the end of its log."""


class Child:
    """Starts `constraintlab.engine.worker`, which sends its messages to `out` (see `wire`) and
    ends when this process does. Commands go in by `tell`, from any thread."""

    def __init__(self, setup: Setup) -> None:
        self._pipe = threading.Lock()
        self.log = tempfile.NamedTemporaryFile(  # noqa: SIM115
            "w+", prefix="constraintlab-engine-", suffix=".log", delete=False
        )
        self._process = spawn("constraintlab.engine.worker", self.log)
        self.tell(setup)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def out(self) -> BinaryIO:
        """Where its messages come from."""
        return self._process.stdout

    def tell(self, message: object) -> None:
        """Send a command. Where the process is gone, the end of `out` says so."""
        with suppress(OSError, ValueError), self._pipe:
            self._process.stdin.write(pack(message))
            self._process.stdin.flush()

    def wait(self) -> int:
        """Its status, once `out` has ended."""
        return self._process.wait()

    def obituary(self, first: str = "") -> str:
        """Why it ended by itself, with the end of its log. first: what it said of that itself."""
        code = self.wait()
        first = first or (
            f"the engine's process was ended by signal {-code}"
            + (" (often: out of memory)" if code == -9 else "")
            if code < 0
            else f"the engine's process ended with status {code}"
        )
        self.log.flush()
        with open(self.log.name, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()[-LOG_LINES:]
        tail = "\n  ".join(lines)
        return f"{first}. The end of its log ({self.log.name}):\n  {tail}" if lines else first

    def stop(self) -> None:
        """Ask it to end, and say nothing more."""
        self.tell(("stop",))
        with suppress(OSError), self._pipe:
            self._process.stdin.close()

    def reap(self, *, keep_log: bool = False) -> None:
        """Wait for its end, for a while, then bring it about. keep_log: someone was told of it."""
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if not self.log.closed:
            self.log.close()
            if not keep_log:
                os.unlink(self.log.name)
