"""`Attached`: a server that runs somewhere, looked at once a second, with its probe."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from constraintlab.telemetry.sample import Sample
from constraintlab.telemetry.sinks import Sink
from constraintlab.telemetry.source import Reading, all_absent
from constraintlab.watch.facts import Told
from constraintlab.watch.judge import Diagnosis, judge
from constraintlab.watch.looks import Looker
from constraintlab.watch.probe import NAMES, Probe
from constraintlab.watch.reach import check
from constraintlab.watch.window import Window

EVERY = 1.0
"""Seconds from one look to the next."""

KEPT = 3600
"""Looks that are kept: an hour."""

GONE = 5
"""Looks in a row that fail before a server counts as gone."""

UNPROBED = "no probe ran (--no-probe)"


class Attached:
    """Use it with `with`, or call `close`. probe: None goes without. sinks: hear every look.

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
        sinks: Iterable[Sink] = (),
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        if not every > 0:
            raise ValueError(f"every={every}: give seconds above 0")
        self.looker, self.probe, self.every, self.told = looker, probe, every, told
        self.samples: deque[Sample] = deque(maxlen=KEPT)
        self._sinks, self._wait, self._failed = tuple(sinks), wait, 0

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
        for sink in self._sinks:
            sink(sample)
        return sample

    def watch(self, seconds: float | None = None) -> Iterator[Sample]:
        """Looks, one every `every` seconds; until the server is gone, without `seconds`."""
        start, k = self.looker.now, 0
        while not self.gone:
            yield self.look()
            passed = self.looker.now - start
            if seconds is not None and passed >= seconds - self.every / 2:
                return
            # A moment that has passed is left out: looks never come in a burst.
            k = max(k + 1, int(passed / self.every) + (passed % self.every > 0))
            self._wait(max(0.0, start + k * self.every - self.looker.now))

    def window(self, seconds: float | None = None) -> Window:
        """The looks of the last seconds; all unless given."""
        if seconds is None or not self.samples:
            return Window.of(self.samples)
        since = self.samples[-1].t - seconds
        return Window.of([s for s in self.samples if s.t >= since])

    def diagnose(self, seconds: float | None = None) -> Diagnosis:
        """What limits it."""
        return judge(self.window(seconds), self.family, self.told)

    def close(self) -> None:
        """End the probe."""
        if self.probe:
            self.probe.close()

    def __enter__(self) -> Attached:
        check(self.looker)
        if self.probe:
            self.probe.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _with(sample: Sample, more: dict[str, Reading]) -> Sample:
    return Sample(
        sample.t,
        {**sample.values, **{n: r.value for n, r in more.items()}},
        {**sample.sources, **{n: r.source for n, r in more.items()}},
    )
