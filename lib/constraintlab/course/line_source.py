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
        self._begun: Look | None = None
        """The first one with the link as it is set now."""
        self._looks: deque[Look] = deque(maxlen=LATELY + 1)
        self._readings = self._absent()

    def restart(self) -> None:
        """Forget the looks: another run follows."""
        self._first = self._begun = None
        self._looks.clear()
        self._readings = self._absent()

    def take(self, moment: Moment, counters: Counters) -> None:
        """The newest look."""
        look = Look(moment, counters)
        self._first = self._first or look
        if self._looks and _set(self._looks[-1]) != _set(look):
            # What passed the link as it was says nothing of it as it is.
            self._begun = None
            self._looks.clear()
        self._begun = self._begun or look
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
        """The run so far, since its link was last set, its last moments foremost; None before there
        is enough of it."""
        looks = list(self._looks)
        if len(looks) < 4:
            return None
        begun, link = self._begun, looks[-1].moment.link
        spent = looks[-1].counters.cpu - begun.counters.cpu
        used = link.cpu - begun.moment.link.cpu if link else 0.0
        moments = (begun.moment, *(k.moment for k in looks))
        got = self._got(begun.moment, moments[-1])
        return Passage(name, moments, got, Spent(spent, used, processes), threads)

    def rate(self, passage: Passage | None = None) -> float:
        """Tokens/s that reached the clients lately, or in the steady part of a passage: what is
        held against a model has to be of the same moments."""
        inside = passage.steady if passage else [k.moment for k in self._looks]
        first, last = inside[0], inside[-1]
        seconds = last.scrape.t - first.scrape.t
        return self._got(first, last) / seconds if seconds > 0 else 0.0

    def _got(self, first: Moment, last: Moment) -> float:
        """Tokens that clients got: by the link's bytes where there is one, else as written. A
        client knows an event's tokens only when its answer has ended."""
        if last.link is None:
            return last.gauge(TOKENS) - first.gauge(TOKENS)
        begun, newest = self._first, self._looks[-1]
        size = max(1.0, newest.sent(BYTES) - begun.sent(BYTES))
        each = (newest.sent(TOKENS) - begun.sent(TOKENS)) / size
        return each * (last.link.down - first.link.down)

    def _client_itl(self) -> float | None:
        """Seconds between two events of a stream at its client, mean of the last looks."""
        first, last = self._looks[-min(4, len(self._looks))], self._looks[-1]
        events = self._got(first.moment, last.moment) / self._many()
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


def _set(look: Look) -> tuple | None:
    """How the link was set, as far as what it carries goes; None without one."""
    link = look.moment.link
    return link and (link.capacity, sum(c.slow for c in link.connections))
