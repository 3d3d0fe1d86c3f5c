"""What a front end counts: events, ends, times; histograms with the bounds that vLLM uses."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from constraintlab.serving.sink import Sink

ITL = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
       20.0, 40.0, 80.0)  # fmt: skip
TTFT = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
        20.0, 40.0, 80.0, 160.0, 640.0, 2560.0)  # fmt: skip
REQUEST = (0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0,
           240.0, 480.0, 960.0, 1920.0, 7680.0)  # fmt: skip
TOKENS = (1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)

FINE = (0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.007)
"""Below vLLM's first bound: small models on a CPU are quicker than its 10 ms."""

REASONS = {"stop": "stop", "length": "length", "cancelled": "abort"}
"""vLLM's names of how requests end; any other end is an error."""


class Histogram:
    """Counts by upper bound, as Prometheus wants them."""

    __slots__ = ("_counts", "bounds", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds, self.sum = tuple(bounds), 0.0
        self._counts = [0] * (len(bounds) + 1)

    def add(self, value: float, times: int = 1) -> None:
        """`value`, so many times."""
        self._counts[bisect_left(self.bounds, value)] += times
        self.sum += value * times

    @property
    def count(self) -> int:
        """Values so far."""
        return sum(self._counts)

    @property
    def buckets(self) -> list[tuple[str, float]]:
        """(upper bound, values up to it)."""
        found, so_far = [], 0
        for bound, n in zip((*map(str, self.bounds), "+Inf"), self._counts, strict=True):
            so_far += n
            found.append((bound, float(so_far)))
        return found


class Counts:
    """Counters of a front end, from its start."""

    def __init__(self) -> None:
        self.events = self.tokens = self.bytes = self.writes = 0
        self.prompt_tokens = self.generated = self.preempted = 0
        self.framing = self.writing = 0.0
        """Core-seconds."""
        # A counter that is there from the start can be told from one that nobody has.
        self.ended = Counter(dict.fromkeys(("finished", "client", "slow", "shutdown", "engine"), 0))
        self.rejected = Counter({"queue": 0, "invalid": 0})
        self.success = Counter(dict.fromkeys((*REASONS.values(), "error"), 0))
        self.ttft, self.itl = Histogram(TTFT), Histogram((*FINE, *ITL))
        self.e2e, self.queued, self.prefill, self.decode, self.inference = (
            Histogram(REQUEST) for _ in range(5)
        )
        self.step_tokens = Histogram(TOKENS)

    def began(self, sink: Sink, now: float) -> None:
        """The engine admitted a request; a second admission, after a preemption, doesn't count."""
        if sink.admitted is None:
            sink.admitted = now
            self.queued.add(max(0.0, now - sink.arrived))

    def unusual(self, sink: Sink, now: float, tokens: int) -> None:
        """Tokens that come together, that are the first, or after a step that had none for it."""
        if sink.first is not None:
            self.itl.add((now - sink.seen) / tokens, tokens)
            return
        sink.first = now
        self.prompt_tokens += sink.prompt
        self.ttft.add(now - sink.arrived)
        if sink.admitted is not None:
            self.prefill.add(now - sink.admitted)

    def over(self, sink: Sink, reason: str) -> None:
        """A request ended, by itself or not."""
        self.success[REASONS.get(reason, "error")] += 1
        if reason not in REASONS or sink.first is None or sink.admitted is None:
            return
        self.e2e.add(sink.seen - sink.arrived)
        self.decode.add(sink.seen - sink.first)
        self.inference.add(sink.seen - sink.admitted)
