"""`Sinks`: who gets the samples, and what happens when one of them fails."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable

from constraintlab.telemetry.sample import Sample

Sink = Callable[[Sample], object]


def to_stderr(note: str) -> None:
    """The default way to make a note visible: one line under the running cell or command."""
    print(f"constraintlab: {note}", file=sys.stderr)


class Sinks:
    """A set of sinks that threads may change while samples flow.

    A sink that raises is removed, so that the others go on, and the reason is kept in `notes`
    and passed to `on_note`.
    """

    def __init__(
        self, sinks: Iterable[Sink] = (), on_note: Callable[[str], object] = to_stderr
    ) -> None:
        self._sinks = tuple(sinks)
        self._notes: list[str] = []
        self._on_note = on_note
        self._lock = threading.Lock()

    def add(self, sink: Sink) -> None:
        """From now on `sink` is called with every sample; adding it twice changes nothing."""
        with self._lock:
            if sink not in self._sinks:
                self._sinks += (sink,)

    def remove(self, sink: Sink) -> None:
        """`sink` gets no further sample; removing one that is not there changes nothing."""
        with self._lock:
            self._sinks = tuple(s for s in self._sinks if s != sink)

    def send(self, sample: Sample) -> None:
        for sink in self._sinks:
            try:
                sink(sample)
            except Exception as error:  # whatever a sink does wrong, sampling goes on
                self.remove(sink)
                name = getattr(sink, "__qualname__", None) or type(sink).__name__
                self.note(f"{name} gets no more samples: it raised {_line(error)}")

    def note(self, text: str) -> None:
        """Keep `text` and make it visible."""
        self._notes.append(text)
        try:
            self._on_note(text)
        except Exception as error:  # the note itself is kept, only its display failed
            self._notes.append(f"a note could not be shown: {_line(error)}")

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self._notes)


def _line(error: Exception) -> str:
    """The error on one line, with its type."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
