"""Samples on disk: `Recorder` writes them as they come, `read` gets them back.

A recording is a text file of JSON Lines, in ASCII, one object a line. Its first line is the header:

    {"constraintlab": "recording", "version": 1, "started": "2026-03-01T09:30:00+00:00",
     "machine": {"cpu": "…", "cores": "2"}, "note": "…",
     "names": {"host.cpu_percent": {"unit": "%", "meaning": "…"}}}

(here broken over three lines), and every other line is one sample:

    {"t": 0.1, "values": {"host.cpu_percent": 97.5}, "sources": {"host.cpu_percent": "measured"}}

`started` is ISO 8601 with its zone, `machine` maps words to words, `names` documents the values
of the first sample. A value is a number, or null where its source is `n/a: why`. Keys may be
added; a change of what is written here raises `version`. The file may be compressed with gzip.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from constraintlab.limits import cgroup
from constraintlab.limits.machine import cpu_name
from constraintlab.telemetry.names import quantity
from constraintlab.telemetry.recorded import (
    KIND,
    VERSION,
    Header,
    Recording,
    RecordingError,
    clean,
    read,
)
from constraintlab.telemetry.sample import Sample

__all__ = ["Header", "Recorder", "Recording", "RecordingError", "read"]


def this_machine() -> dict[str, str]:
    """What a reader of the recording wants to know of the machine, found without importing torch.

    `limits.machine.describe` says more, where torch is at hand.
    """
    return {
        "cpu": cpu_name(),
        "cores": f"{cgroup.cores():g}",
        "memory_gb": f"{cgroup.memory_bytes() / 1e9:.0f}",
        "os": platform.system(),
    }


class Recorder:
    """A sink that writes every sample to a new file; use it as a context manager.

    Each sample is handed to the system at once, so a crash loses at most the line being written.
    A file that exists is never touched. When the disk is full the torn line is taken back, the
    file stays a valid recording, and the call raises: a sampler then drops this sink with a note.

    machine: what the header says of it, by default `this_machine()`. note: a free line for the
    reader. now: the moment of the start, passed in by tests. Raises RecordingError, also from
    `__enter__`, which opens the file; without `with`, the first sample opens it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        machine: Mapping[str, str] | None = None,
        note: str = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.path = Path(path)
        self._machine, self._note, self._now = machine, note, now
        self._lock = threading.Lock()
        self._file = None
        self._header: dict | None = None
        self._closed = False

    def __call__(self, sample: Sample) -> None:
        with self._lock:
            if self._closed:
                raise RecordingError(f"{self.path} is closed: record into a new file")
            self._open()
            if self._header is not None:
                self._write({**self._header, "names": _documented(sample.values)})
                self._header = None
            pairs = {n: clean(v, sample.sources[n]) for n, v in sample.values.items()}
            self._write(
                {
                    "t": sample.t,
                    "values": {name: value for name, (value, _) in pairs.items()},
                    "sources": {name: source for name, (_, source) in pairs.items()},
                }
            )

    def __enter__(self) -> Recorder:
        with self._lock:
            self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the recording; may be called twice. One without a sample keeps its header."""
        with self._lock:
            if self._closed or self._file is None:
                self._closed = True
                return
            try:
                if self._header is not None:
                    self._write({**self._header, "names": {}})
            finally:
                self._end()

    def _open(self) -> None:
        if self._file is not None:
            return
        started = self._now().isoformat(timespec="seconds")
        machine = this_machine() if self._machine is None else dict(self._machine)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Unbuffered: what a write has taken survives this process.
            self._file = open(self.path, "xb", buffering=0)  # noqa: SIM115 - closed by close()
        except OSError as error:
            # Not by FileExistsError: a parent that is a file raises that too.
            if os.path.lexists(self.path):
                free = _free_name(self.path)
                raise RecordingError(f"{self.path} exists already: record into {free}") from None
            raise self._failed(error) from error
        self._header = {
            "constraintlab": KIND,
            "version": VERSION,
            "started": started,
            "machine": machine,
            "note": self._note,
        }

    def _write(self, line: dict) -> None:
        text = json.dumps(line, allow_nan=False, default=float)
        rest, good = memoryview(f"{text}\n".encode("ascii")), self._file.tell()
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(good)
            self._end()
            if good == 0:
                self.path.unlink(missing_ok=True)
            raise self._failed(error) from error

    def _end(self) -> None:
        self._closed = True
        self._file.close()

    def _failed(self, error: OSError) -> RecordingError:
        why = {
            errno.ENOSPC: "the disk is full. Free some space, or record on another disk",
            errno.EDQUOT: "your quota is used up. Free some space, or record on another disk",
        }.get(error.errno, f"{error.strerror}. Record into a folder that you can write")
        return RecordingError(f"{self.path} can't be written: {why}")


def _documented(names: Mapping[str, object]) -> dict[str, dict[str, str]]:
    found = {name: quantity(name) for name in names}
    return {name: {"unit": q.unit, "meaning": q.meaning} for name, q in found.items()}


def _free_name(path: Path) -> Path:
    n = 2
    while (free := path.with_stem(f"{path.stem}-{n}")).exists():
        n += 1
    return free
