"""`Sampler`: a thread that reads every source at a fixed rate and hands samples to sinks."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable

from constraintlab.telemetry.sample import Sample
from constraintlab.telemetry.sinks import Sink, Sinks, to_stderr
from constraintlab.telemetry.source import FIRST, Reading, Source, all_absent

THREAD = "constraintlab-sampler"

JOIN = 5.0
"""Seconds that `stop` waits for a source that hangs, e.g. in a driver."""


class Sampler:
    """Reads `sources` `hz` times a second while it runs; use it as a context manager.

    Samples are due at start + k / hz, whatever each one costs, so the rate does not drift. A
    sample whose moment has passed is skipped and counted (`sampler.missed`), never made up for
    in a burst. `stop` ends the thread and closes the sources; `start` may follow again, with t
    counting from 0 anew. `wait(seconds)` sleeps and says whether to stop; tests pass their own.
    """

    def __init__(
        self,
        sources: Iterable[Source],
        hz: float = 10.0,
        clock: Callable[[], float] = time.perf_counter,
        sinks: Iterable[Sink] = (),
        on_note: Callable[[str], object] = to_stderr,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self.sources = tuple(sources)
        names = [source.name for source in self.sources]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"two sources are called {', '.join(twice)}: give each its own name")
        if not 0 < hz <= 1000:
            raise ValueError(f"hz must be above 0 and at most 1000, not {hz}")
        self.hz = hz
        self.latest: Sample | None = None
        self._clock, self._wait = clock, wait
        self._sinks = Sinks(sinks, on_note)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._reading = threading.Lock()
        self._known: dict[str, tuple[str, ...]] = {}
        self._noted: set[tuple[str, type]] = set()
        self._began: float | None = None
        self._missed, self._late, self._cost = 0, 0.0, None

    def add_sink(self, sink: Sink) -> None:
        """Call `sink` with every sample from now on, also while running."""
        self._sinks.add(sink)

    def remove_sink(self, sink: Sink) -> None:
        self._sinks.remove(sink)

    @property
    def notes(self) -> tuple[str, ...]:
        """What went wrong on the way, as sentences to show: sinks removed, sources that raised."""
        return self._sinks.notes

    @property
    def running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> Sampler:
        """Begin sampling; nothing happens when it runs already."""
        if not self.running:
            # A new event for each run: clearing the old one could revive a thread that is ending.
            self._stopping = threading.Event()
            self._began, self._missed = None, 0
            self._thread = threading.Thread(
                target=self._run, args=(self._stopping,), name=THREAD, daemon=True
            )
            self._thread.start()
        return self

    def stop(self) -> None:
        """End the thread and close the sources; may be called twice, and by a sink."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is None:
            self._close()
        elif thread is not threading.current_thread():
            thread.join(JOIN)
            if thread.is_alive():
                self._sinks.note(f"a source has not answered for {JOIN:g} s: its thread is left")

    __enter__ = start

    def __exit__(self, *_: object) -> None:
        self.stop()

    def tick(self) -> Sample:
        """Take one sample now, in the calling thread, and send it to the sinks."""
        with self._reading:
            began, cpu = self._clock(), time.thread_time()
            if self._began is None:
                self._began = began
            readings: dict[str, Reading] = {}
            for source in self.sources:
                readings |= self._read(source)
            readings |= {
                "sampler.late_s": Reading.measured(self._late),
                "sampler.missed": Reading.measured(self._missed),
                "sampler.cpu_s": Reading.absent(FIRST)
                if self._cost is None
                else Reading.measured(self._cost),
            }
            sample = Sample(
                began - self._began,
                {name: r.value for name, r in readings.items()},
                {name: r.source for name, r in readings.items()},
            )
            self.latest = sample
            self._sinks.send(sample)
            self._cost = time.thread_time() - cpu
        return sample

    def _read(self, source: Source) -> dict[str, Reading]:
        try:
            readings = dict(source.read())
        except Exception as error:  # the contract forbids it, yet one source must not end all
            why = f"{source.name} raised {type(error).__name__}: {' '.join(str(error).split())}"
            # Once, also where each message differs (an address, a count): ten a second help nobody.
            if (source.name, type(error)) not in self._noted:
                self._noted.add((source.name, type(error)))
                self._sinks.note(why)
            return all_absent(self._known.get(source.name, ()), why)
        self._known[source.name] = tuple(readings)
        return readings

    def _run(self, stopping: threading.Event) -> None:
        wait = self._wait or stopping.wait
        try:
            start, k = self._clock(), 0
            while not stopping.is_set():
                self._late = max(0.0, self._clock() - start - k / self.hz)
                self.tick()
                # The next moment still to come; those in between are gone.
                due = max(k + 1, math.ceil((self._clock() - start) * self.hz))
                self._missed += due - k - 1
                k = due
                if wait(max(0.0, start + k / self.hz - self._clock())):
                    break
        finally:
            self._close()

    def _close(self) -> None:
        for source in self.sources:
            try:
                source.close()
            except Exception as error:  # the others must be closed all the same
                self._sinks.note(f"{source.name} could not be closed: {error}")
