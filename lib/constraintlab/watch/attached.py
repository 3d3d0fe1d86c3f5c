"""`Attached`: a server that runs somewhere, looked at once a second, with its probe."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from constraintlab.limits.verdict import Verdict
from constraintlab.load.slo import Slo
from constraintlab.telemetry.exposition import Scrape
from constraintlab.telemetry.sample import Sample
from constraintlab.telemetry.sinks import Sink
from constraintlab.telemetry.source import Reading, all_absent
from constraintlab.watch.diagnosis import Diagnosis, with_counted
from constraintlab.watch.facts import Told
from constraintlab.watch.judge import judge
from constraintlab.watch.looks import Looker
from constraintlab.watch.probe import NAMES, Probe
from constraintlab.watch.reach import check
from constraintlab.watch.window import Window

Counted = Callable[[Sequence[Scrape]], Verdict | None]

EVERY = 1.0
"""Seconds from one look to the next."""

KEPT, WHOLE = 1200, 120
"""Looks that are kept, and of those the newest whole scrapes, where work is counted."""

GONE = 5
"""Looks in a row that fail before a server counts as gone."""

UNPROBED = "no probe ran (--no-probe)"


class Attached:
    """Use it with `with`, or call `close`. probe: None goes without. sinks: hear every look.
    notes: what went wrong on the way. counted: makes a verdict of scrapes of our own server, which
    count its work, where it can.

    Raises Trouble from `__enter__` where the server can't be looked at; afterwards a look that
    fails is a gap.
    """

    def __init__(
        self,
        looker: Looker,
        probe: Probe | None = None,
        *,
        every: float = EVERY,
        told: Told | None = None,
        slo: Slo | None = None,
        sinks: Iterable[Sink] = (),
        counted: Counted | None = None,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        if not every > 0:
            raise ValueError(f"every={every}: give seconds above 0")
        self.looker, self.probe, self.every = looker, probe, every
        self.told, self.slo = told, slo
        self.samples: deque[Sample] = deque(maxlen=KEPT)
        self.sinks, self.notes = list(sinks), []
        self._scrapes: deque[tuple[float, Scrape]] = deque(maxlen=WHOLE)
        self._counted, self.wait, self._failed = counted, wait, 0
        self._warming: threading.Thread | None = None

    @property
    def family(self) -> str:
        """`constraintlab`, `vllm` or `sglang`; empty before a look came through."""
        return self.looker.family

    @property
    def gone(self) -> str:
        """Why the server does not answer any more; empty while it does."""
        return self.looker.failure if self._failed >= GONE else ""

    def look(self) -> Sample:
        """Look now."""
        found = self.looker.look()
        self._failed = self._failed + 1 if self.looker.failure else 0
        probed = self.probe.read() if self.probe else all_absent(NAMES, UNPROBED)
        sample = _with(found, probed)
        self.samples.append(sample)
        if self._counted and not self.looker.failure and self.family == "constraintlab":
            self._scrapes.append((sample.t, self.looker.last))
        for sink in list(self.sinks):
            try:
                sink(sample)
            except Exception as error:  # a full disk ends the recording, not the watch
                self.sinks.remove(sink)
                self.notes.append(str(error))
        return sample

    def watch(self, seconds: float | None = None, patient: bool = False) -> Iterator[Sample]:
        """Looks, one every `every` seconds. Ends after `seconds`, if given, and where the server is
        gone, unless patient: it may come back."""
        start, k = self.looker.now, 0
        while patient or not self.gone:
            yield self.look()
            passed = self.looker.now - start
            if seconds is not None and passed >= seconds - self.every / 2:
                return
            # A moment that has passed is left out: looks never come in a burst.
            k = max(k + 1, math.ceil(passed / self.every))
            self.wait(max(0.0, start + k * self.every - self.looker.now))

    def window(self, seconds: float | None = None) -> Window:
        """The looks of the last seconds; all unless given."""
        if seconds is None or not self.samples:
            return Window.of(self.samples)
        since = self.samples[-1].t - seconds
        return Window.of([s for s in self.samples if s.t >= since])

    def diagnose(self, seconds: float | None = None) -> Diagnosis:
        """What limits it."""
        window = self.window(seconds)
        found = judge(window, self.family, self.told, self.slo)
        warm = self._warming is not None and not self._warming.is_alive()
        if warm and self._scrapes and window.samples:
            since = window.samples[0].t
            found = with_counted(found, self._counted([s for t, s in self._scrapes if t >= since]))
        gone = (f"the server does not answer any more: {self.gone}",) if self.gone else ()
        return replace(found, notes=(*gone, *self.notes, *found.notes))

    def close(self) -> None:
        """End the probe."""
        if self.probe:
            self.probe.close()

    def __enter__(self) -> Attached:
        check(self.looker)
        if self.probe:
            self.probe.start()
        if self._counted and self.family == "constraintlab":
            # What it imports takes seconds, in which nobody would look.
            self._warming = threading.Thread(target=self._counted, args=((),), daemon=True)
            self._warming.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _with(sample: Sample, more: dict[str, Reading]) -> Sample:
    return Sample(
        sample.t,
        {**sample.values, **{n: r.value for n, r in more.items()}},
        {**sample.sources, **{n: r.source for n, r in more.items()}},
    )
