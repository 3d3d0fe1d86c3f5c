"""`Server`: a server in a process of its own, for notebooks, benchmarks and tests."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import replace

from constraintlab.engine.setup import Setup
from constraintlab.engine.spawn import spawn
from constraintlab.engine.wire import pack
from constraintlab.serving.options import Options

LOG_LINES = 12


class Server:
    """Starts `constraintlab serve` elsewhere on this machine and waits until it answers.

    Use it with `with`, or call `close`; it also ends when this process does. options: fields of
    `Options`; the port is a free one unless given. url: where it listens. Raises RuntimeError with
    the last lines of its log where it can't start.
    """

    MODULE = "constraintlab.serving.run"
    """What runs in the process."""

    def __init__(self, setup: Setup | None = None, **options) -> None:
        self.setup, self.options = setup or Setup(), Options(**{"port": 0, **options})
        self._log = tempfile.NamedTemporaryFile(  # noqa: SIM115
            "w+", prefix="constraintlab-serve-", suffix=".log", delete=False
        )
        self._process = spawn(self.MODULE, self._log)
        with suppress(OSError):
            self._process.stdin.write(pickle.dumps((self.setup, self.options)))
            self._process.stdin.flush()
        self.url = self._process.stdout.readline().decode().strip()
        if not self.url:
            self._process.wait()
            log = self.log
            self.close()
            raise RuntimeError(f"the server did not start:\n  {log}")

    @property
    def pid(self) -> int:
        """Of the front end's process."""
        return self._process.pid

    @property
    def port(self) -> int:
        """Where it listens on this machine."""
        return int(self.url.rsplit(":", 1)[1])

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process.poll() is None

    @property
    def log(self) -> str:
        """The last lines that it printed."""
        with open(self._log.name, encoding="utf-8", errors="replace") as file:
            return "\n  ".join(file.read().splitlines()[-LOG_LINES:])

    def change(self, setup: Setup, stream_interval: int | None = None) -> None:
        """Another setup of the same model for the engine, in its process: pool, store, policy,
        budget; and other tokens to an event, if given. Quicker than another server. ValueError,
        and all stays as it was, while requests are open or for what only another server can have;
        RuntimeError where it is gone."""
        options = self.options
        if stream_interval is not None:
            options = replace(options, stream_interval=stream_interval)
        try:
            self._process.stdin.write(pack((setup, options.stream_interval)))
            self._process.stdin.flush()
        except OSError:
            pass  # its answer, none, tells
        said = self._process.stdout.readline()
        if not said:
            raise RuntimeError(f"the server is gone:\n  {self.log}")
        if said.strip():
            raise ValueError(said.decode().strip())
        self.setup, self.options = setup, options

    def close(self, timeout: float | None = None) -> int:
        """SIGTERM: streams may end first, for `grace` seconds. Returns its exit status."""
        if self.running:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(self.options.grace + 10 if timeout is None else timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                pipe.close()
        if not self._log.closed:
            self._log.close()
            os.unlink(self._log.name)
        return self._process.returncode

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
