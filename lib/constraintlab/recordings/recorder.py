"""`Recorder`: writes what a lab's panels draw, and what the lab asks and finds, as it happens."""

from __future__ import annotations

import base64
import gzip
import os
import sys
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from constraintlab.panel import widget
from constraintlab.panel.numbers import finite
from constraintlab.panel.ring import KINDS
from constraintlab.recordings import tape
from constraintlab.recordings.labels import kinds
from constraintlab.recordings.start import VARIABLE
from constraintlab.recordings.tape import PART
from constraintlab.recordings.thin import LIMIT, Thinner, fitted
from constraintlab.telemetry.recorded import RecordingError

SCENES = ("maps", "lanes", "stream", "latency")


class Recorder:
    """One lab into FOLDER/LAB-DEVICE.jsonl.gz, which is there, whole, once `finish` was called.

    Until then the events are in a file with `.part` in its name, each line handed to the system
    at once: a crash loses the line being written, and `tape.read` gets the others back. Whatever
    goes wrong here is told on stderr, once, and ends the recording, never the lab.
    clock in seconds; now: the moment of the start. Both, and limit in bytes, for tests.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        head: tape.Head,
        *,
        clock: Callable[[], float] = time.perf_counter,
        limit: int = LIMIT,
    ) -> None:
        name = f"{head.lab}-{head.device}"
        self.path = Path(folder) / f"{name}{tape.SUFFIX}"
        self.part = Path(folder) / f"{name}{PART}{tape.SUFFIX}"
        self._head, self._clock, self._limit = head, clock, limit
        self._lock, self._thinner, self._start = threading.Lock(), Thinner(), clock()
        self._panels: list[widget.Panel] = []
        self._pid, self._open = os.getpid(), True
        try:
            self.part.parent.mkdir(parents=True, exist_ok=True)
            self._plain = open(self.part, "wb", buffering=0)  # noqa: SIM115 - closed by _end
        except OSError as error:
            raise RecordingError(
                f"{VARIABLE}: {self.part} can't be written ({error.strerror or error}): name a "
                "folder that you can write"
            ) from None
        self._file = gzip.GzipFile("", "wb", 9, self._plain, mtime=0)
        self._keep(head.as_dict())
        widget.LISTENERS.append(self.hear)

    def note(self, do: str, **said: object) -> None:
        """What the lab did, as an event of `tape`."""
        self._take({"do": do, **said})

    def hear(self, panel: widget.Panel, message: Mapping, buffers: list[bytes]) -> None:
        """What a panel's page gets; see `panel.widget.LISTENERS`."""
        which = {"panel": self._number(panel)}
        if "view" in message:
            self._take({"do": "view", **which, "view": message["view"]})
        elif "e" in message:
            row = memoryview(buffers[0]).cast("d").tolist()
            self._take({"do": "row", **which, "epoch": message["e"], "row": row})
        for name in SCENES:
            if name in message:
                scene = {"name": name, "head": message[name], "buffers": list(buffers)}
                self._take({"do": "scene", **which, **scene})

    def finish(self) -> Path | None:
        """Make the file of what was recorded, thinned to its limit; None where that failed."""
        if not self._end():
            return None
        try:
            found = tape.read(self.part)
            sources = tuple(k for k in KINDS if k in kinds(found.events) and k != "n/a")
            head = tape.Head(**{**vars(self._head), "sources": sources})
            tape.write(self.path, head, fitted(head, list(found.events), self._limit))
            self.part.unlink()
        except (OSError, RecordingError) as error:
            self._fail(error)
            return None
        return self.path

    def drop(self) -> None:
        """Record no more; the file of what was recorded before stays as it was."""
        if self._end():
            self.part.unlink(missing_ok=True)

    def _number(self, panel: widget.Panel) -> int:
        with self._lock:
            for i, known in enumerate(self._panels):
                if known is panel:
                    return i
            self._panels.append(panel)
            return len(self._panels) - 1

    def _take(self, event: dict) -> None:
        with self._lock:
            if not self._open or os.getpid() != self._pid:
                return
            event = {"t": round(self._clock() - self._start, 3), "cell": cell(), **event}
            try:
                for kept in self._thinner.take(event):
                    self._keep(kept)
            except (OSError, ValueError) as error:
                self._open = False
                self._fail(error)

    def _keep(self, event: Mapping) -> None:
        if "row" in event:
            event = {**event, "row": [float(f"{x:.6g}") if finite(x) else None
                                      for x in event["row"]]}  # fmt: skip
        if "buffers" in event:
            event = {**event, "buffers": [base64.b64encode(b).decode() for b in event["buffers"]]}
        self._file.write(tape.line(event))
        self._file.flush(zlib.Z_SYNC_FLUSH)

    def _end(self) -> bool:
        """Close the file; whether there is a recording."""
        with self._lock:
            if self.hear in widget.LISTENERS:
                widget.LISTENERS.remove(self.hear)
            if not self._open or os.getpid() != self._pid:
                return False
            self._open = False
            try:
                for kept in self._thinner.rest():
                    self._keep(kept)
                self._file.close()
                self._plain.close()
            except (OSError, ValueError) as error:
                self._fail(error)
                return False
            return True

    def _fail(self, error: Exception) -> None:
        print(f"recording {self.path.name} ended: {error}", file=sys.stderr)


def cell() -> int | None:
    """The number of the notebook's input that runs, if one does."""
    there = sys.modules.get("IPython")
    shell = there and there.get_ipython()
    return shell.execution_count if shell else None
