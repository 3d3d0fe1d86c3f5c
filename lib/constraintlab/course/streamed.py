"""`Streamed`: a workload served and streamed to its end, as server, link and clients saw it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from constraintlab.course.scraped import Delivered
from constraintlab.limits.estimate import Estimate
from constraintlab.load.record import Record
from constraintlab.load.report import Report
from constraintlab.serving.link_settings import LinkStats
from constraintlab.telemetry.exposition import Scrape

FULL = (0.9, 0.5, 0.0)
"""Of the most streams that were open, or ran, at once: below that a run begins or fades out. The
first that leaves ENOUGH moments counts."""

ENOUGH = 4


@dataclass(frozen=True)
class Moment:
    """The server's /metrics and the link's own figures at about the same time."""

    scrape: Scrape
    link: LinkStats | None = None

    def gauge(self, name: str) -> float:
        """The sum of a gauge's series, 0 where there is none."""
        return sum(self.scrape.values(name))

    @property
    def running(self) -> float:
        return self.gauge("vllm:num_requests_running")

    @property
    def waiting(self) -> float:
        return self.gauge("vllm:num_requests_waiting")

    @property
    def active(self) -> float:
        """Requests that run, or whose last tokens are still on their way."""
        if self.waiting:
            return self.running
        return max(self.running, self.gauge("constraintlab:streams_open"))


@dataclass(frozen=True)
class Spent:
    """Core-seconds of what is here only to measure: the load client and the link's process."""

    client: float = 0.0
    link: float = 0.0
    processes: int = 1


@dataclass(frozen=True)
class Passage:
    """Tokens on their way through a server between two looks. moments: in order; output: tokens
    that clients got meanwhile; threads: the engine's."""

    name: str
    moments: tuple[Moment, ...]
    output: float
    spent: Spent
    threads: int = 1

    @property
    def steady(self) -> tuple[Moment, ...]:
        """The moments in which nearly as many requests were active as ever, or half as many where
        those are too few; all if even those with any are."""
        most = max(m.active for m in self.moments)
        for share in FULL:
            least = max(share * most, 1e-9)
            full = [i for i, m in enumerate(self.moments) if m.active >= least]
            inside = self.moments[full[0] : full[-1] + 1] if full else ()
            if len(inside) >= ENOUGH:
                return inside
        return self.moments

    @property
    def delivered(self) -> Delivered:
        """Over the steady part."""
        return Delivered.between(self.steady[0].scrape, self.steady[-1].scrape)

    @property
    def all(self) -> Delivered:
        """Over the whole passage."""
        return Delivered.between(self.moments[0].scrape, self.moments[-1].scrape)

    @property
    def wire_bytes(self) -> float:
        """Bytes a token as the link saw them, heads of responses included; else as the server did.

        Of the whole passage, for the tokens that clients got: within it others wait in buffers.
        """
        first, last = self.moments[0].link, self.moments[-1].link
        if first is None or last is None or last.down <= first.down:
            return self.all.bytes_per_token
        return (last.down - first.down) / max(1.0, self.output)


@dataclass(frozen=True)
class Streamed(Passage):
    """A whole workload: moments from just before it to just after.

    report, records: what its clients saw; their clock begins at `start` on that of the moments.
    """

    report: Report | None = None
    records: tuple[Record, ...] = ()
    start: float = 0.0

    @property
    def rate(self) -> Estimate:
        """Tokens/s that reached the clients in the steady part; spread: that of its quarters."""
        first, last = self.steady[0].scrape.t, self.steady[-1].scrape.t
        cuts = [first + i * (last - first) / 4 for i in range(5)]
        rates = [self._between(a, b) / (b - a) for a, b in [(first, last), *pairwise(cuts)]]
        return Estimate(rates[0], min(rates), max(rates), "tok/s")

    @property
    def whole_rate(self) -> float:
        """Output tokens a second from the first send to the last request's end, by the clients."""
        return self.report.output_per_s

    @property
    def wrong(self) -> int:
        """Requests that did not run to their end, or were answered wrongly."""
        return sum(not r.ok or r.right is False for r in self.records)

    def _between(self, first: float, last: float) -> float:
        """Tokens that came between two moments."""
        first, last = first - self.start, last - self.start
        events = (e for r in self.records for e in _pairs(r))
        return sum(n for t, n in events if first < t <= last)


def _pairs(record: Record) -> Sequence[tuple[float, int]]:
    return tuple(zip(record.events.times, record.events.tokens, strict=True))
