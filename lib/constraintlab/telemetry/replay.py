"""`Replay`: a recording that plays like a live sampler, so that a panel can't tell them apart."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from constraintlab.telemetry.recorded import Recording
from constraintlab.telemetry.sample import Sample
from constraintlab.telemetry.sinks import Sink, Sinks, to_stderr

THREAD = "constraintlab-replay"


def relabelled(sample: Sample, origin: str) -> Sample:
    """The sample with every source saying that it was recorded, and where and when.

    `n/a: why` stays, and so does an older `recorded: …`, since it names the true origin;
    a modelled value says that it was modelled besides.
    """

    def label(source: str) -> str:
        if source.startswith(("n/a", "recorded")):
            return source
        modelled = ", modelled" if source.startswith("modelled") else ""
        return f"recorded: {origin}{modelled}"

    return Sample(sample.t, sample.values, {n: label(s) for n, s in sample.sources.items()})


class Replay:
    """Sends a recording's samples to sinks at the moments they were taken, `speed` times as fast.

    It has a `Sampler`'s `start`, `stop`, `add_sink`, `remove_sink`, `latest`, `running` and
    `notes`, and is a context manager like it: hand it to a panel as its sampler. `start` plays
    from the beginning; at the end the thread ends by itself. Every sample is sent, in order:
    where a sink is slow the following ones come late, without a wait between them. Where t
    falls back (the sampler was started anew) the next sample follows at once.
    `clock` and `wait(seconds) -> stop?` are passed in by tests.
    """

    def __init__(
        self,
        recording: Recording,
        speed: float = 1.0,
        clock: Callable[[], float] = time.perf_counter,
        sinks: Iterable[Sink] = (),
        on_note: Callable[[str], object] = to_stderr,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        if not 0 < speed < float("inf"):
            raise ValueError(f"speed must be above 0 and finite, not {speed}: 1 is as recorded")
        self.recording, self.speed = recording, speed
        self.latest: Sample | None = None
        self._clock, self._wait = clock, wait
        self._sinks = Sinks(sinks, on_note)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        for note in recording.notes:
            self._sinks.note(note)

    def add_sink(self, sink: Sink) -> None:
        """Call `sink` with every sample from now on, also while playing."""
        self._sinks.add(sink)

    def remove_sink(self, sink: Sink) -> None:
        self._sinks.remove(sink)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the recording lacks, and sinks that were removed, as sentences to show."""
        return self._sinks.notes

    @property
    def running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> Replay:
        """Play from the beginning in a thread; nothing happens when it plays already."""
        if not self.running:
            self._stopping = threading.Event()
            self._thread = threading.Thread(
                target=self._play, args=(self._stopping,), name=THREAD, daemon=True
            )
            self._thread.start()
        return self

    def stop(self) -> None:
        """End the thread; may be called twice, and by a sink."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    __enter__ = start

    def __exit__(self, *_: object) -> None:
        self.stop()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the recording has played, at most `timeout` seconds; whether it has."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout)
        return not self.running

    def _play(self, stopping: threading.Event) -> None:
        wait = self._wait or stopping.wait
        origin = self.recording.header.origin
        due, before = self._clock(), None
        for sample in self.recording.samples:
            if before is not None:
                due += max(0.0, sample.t - before) / self.speed
            before = sample.t
            ahead = due - self._clock()
            if (ahead > 0 and wait(ahead)) or stopping.is_set():
                return
            self.latest = relabelled(sample, origin)
            self._sinks.send(self.latest)
