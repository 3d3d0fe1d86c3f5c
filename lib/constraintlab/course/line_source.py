"""`LineSource`: a server, its link and its clients as telemetry, which a panel draws."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from constraintlab.course.streamed import Moment, Passage, Spent
from constraintlab.load.live import Counters
from constraintlab.panel import Stream
from constraintlab.telemetry import server_metrics
from constraintlab.telemetry.sample import Sample
from constraintlab.telemetry.source import FIRST, Reading, all_absent

LATELY = 8
"""Looks that a figure rests on: a second and a half."""

NAMES = ("link.full_share", "client.cores")
LASTING = ("server.itl_s", "server.bytes_per_token", "server.writes_per_token",
           "server.tokens_per_event")  # fmt: skip
"""What stays as it was for tokens that are made, and still on their way."""

TOKENS, BYTES = "constraintlab:stream_tokens_total", "constraintlab:stream_bytes_total"
UNLINKED = "there is no link of a known rate between server and clients"
UNSEEN = "nothing runs"


@dataclass(frozen=True)
class Look:
    """A moment with what the clients had counted by then."""

    moment: Moment
    counters: Counters

    @property
    def t(self) -> float:
        return self.moment.scrape.t

    def sent(self, name: str) -> float:
        """A counter of what the server has written."""
        return self.moment.gauge(name)


class LineSource:
    """Looks go in through `take`, from any thread; `read` gives what the last ones say."""

    name = "line"

    def __init__(self) -> None:
        self._first: Look | None = None
        self._looks: deque[Look] = deque(maxlen=LATELY + 1)
        self._readings = self._absent()

    def restart(self) -> None:
        """Forget the looks: another run follows."""
        self._first = None
        self._looks.clear()
        self._readings = self._absent()

    def take(self, moment: Moment, counters: Counters) -> None:
        """The newest look."""
        look = Look(moment, counters)
        self._first = self._first or look
        self._looks.append(look)
        self._readings = self._read()

    def read(self) -> Mapping[str, Reading]:
        return self._readings

    def close(self) -> None:
        """Nothing was opened."""

    def stream(self, now: float) -> Stream:
        """The panel's view of it."""
        readings = self._readings
        sample = Sample(
            now, {n: r.value for n, r in readings.items()},
            {n: r.source for n, r in readings.items()},
        )  # fmt: skip
        link = self._looks[-1].moment.link
        # A server that has written all to its sockets' buffers has no stream open any more.
        others: dict = {"client_itl": self._client_itl(), "readers": self._looks[-1].counters.open}
        if link is not None:
            capacity = float("inf") if link.capacity is None else link.capacity
            others |= {"link_rate": link.rate, "link_capacity": capacity}
        if others["client_itl"] is None:
            others["sources"] = {"client_itl": f"n/a: {FIRST}"}
        return Stream.of(sample, **others)

    def passage(self, name: str, processes: int, threads: int) -> Passage | None:
        """The run so far, its last moments foremost; None before there is enough of it."""
        looks = list(self._looks)
        if len(looks) < 4:
            return None
        link = looks[-1].moment.link
        spent = looks[-1].counters.cpu - self._first.counters.cpu
        used = link.cpu - self._first.moment.link.cpu if link else 0.0
        moments = (self._first.moment, *(k.moment for k in looks))
        return Passage(
            name, moments, self._got(self._first, looks[-1]), Spent(spent, used, processes), threads
        )

    def rate(self) -> float:
        """Tokens/s that reached the clients lately."""
        first, last = self._looks[0], self._looks[-1]
        return self._got(first, last) / (last.t - first.t) if last.t > first.t else 0.0

    def _got(self, first: Look, last: Look) -> float:
        """Tokens that clients got: by the link's bytes where there is one, else as written. A
        client knows an event's tokens only when its answer has ended."""
        if last.moment.link is None:
            return last.sent(TOKENS) - first.sent(TOKENS)
        begun = self._first
        size = max(1.0, last.sent(BYTES) - begun.sent(BYTES))
        each = (last.sent(TOKENS) - begun.sent(TOKENS)) / size
        return each * (last.moment.link.down - first.moment.link.down)

    def _client_itl(self) -> float | None:
        """Seconds between two events of a stream at its client, mean of the last looks."""
        first, last = self._looks[-min(4, len(self._looks))], self._looks[-1]
        events = self._got(first, last) / self._many()
        streams = (first.counters.streaming + last.counters.streaming) / 2
        return streams * (last.t - first.t) / events if events > 0 and streams else None

    def _many(self) -> float:
        return self._readings["server.tokens_per_event"].value or 1.0

    def _read(self) -> dict[str, Reading]:
        last = self._looks[-1]
        before = self._looks[-2] if len(self._looks) > 1 else None
        found = server_metrics.read(before.moment.scrape if before else None, last.moment.scrape)
        if last.counters.streaming:
            gone = (n for n in LASTING if found[n].value is None)
            found |= {n: self._readings[n] for n in gone}
        link = last.moment.link
        full = Reading.absent(UNLINKED)
        if link is not None and link.capacity:
            full = Reading.measured(min(1.0, link.rate / link.capacity))
        cores = Reading.absent(FIRST)
        if before is not None and last.counters.now > before.counters.now:
            spent = last.counters.cpu - before.counters.cpu
            cores = Reading.measured(spent / (last.counters.now - before.counters.now))
        return {**found, "link.full_share": full, "client.cores": cores}

    @staticmethod
    def _absent() -> dict[str, Reading]:
        return all_absent((*server_metrics.RULES, *NAMES), UNSEEN)
