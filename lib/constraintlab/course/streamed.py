"""A served, streamed run as a stack and a verdict: the engine, its front end, the link, readers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean

from constraintlab.course.engines import Between, engine_stack
from constraintlab.course.scraped import Delivered
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.readers import Readers
from constraintlab.limits.resource import Resource
from constraintlab.limits.stack import HostStage, Stack, Station
from constraintlab.limits.stations import link
from constraintlab.load.report import Report
from constraintlab.serving.link_settings import LinkStats
from constraintlab.telemetry.exposition import Scrape

FULL = 0.9
"""Of the most streams that were open, or ran, at once: below that a run begins or fades out."""


FEW = 20
"""Steps of an engine that are too few to say what a step is."""


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
class Streamed:
    """A workload served to its end. moments: from just before it to just after, in order.

    report: what its clients saw.
    """

    name: str
    moments: tuple[Moment, ...]
    report: Report
    threads: int = 1

    @property
    def steady(self) -> tuple[Moment, ...]:
        """The moments in which nearly as many requests were active as ever; all if they are few."""
        most = max(m.active for m in self.moments)
        full = [i for i, m in enumerate(self.moments) if m.active >= FULL * most > 0]
        inside = self.moments[full[0] : full[-1] + 1] if full else ()
        return inside if len(inside) >= 4 else self.moments

    @property
    def delivered(self) -> Delivered:
        """Over the steady part."""
        return Delivered.between(self.steady[0].scrape, self.steady[-1].scrape)

    @property
    def all(self) -> Delivered:
        """Over the whole run."""
        return Delivered.between(self.moments[0].scrape, self.moments[-1].scrape)

    @property
    def seconds(self) -> float:
        """Of the steady part, by the engine's clock."""
        return self.delivered.window.seconds

    @property
    def rate(self) -> Estimate:
        """Tokens/s that the server wrote in the steady part; the spread is that of its quarters."""
        inside = self.steady
        cuts = sorted({round(i * (len(inside) - 1) / 4) for i in range(5)})
        parts = [Delivered.between(inside[a].scrape, inside[b].scrape) for a, b in pairwise(cuts)]
        rates = [p.tokens / p.window.seconds for p in parts if p.window.seconds > 0]
        whole = self.delivered.tokens / self.seconds
        low, high = min([whole, *rates]), max([whole, *rates])
        return Estimate(whole, low, high, "tok/s")

    @property
    def whole_rate(self) -> float:
        """Output tokens a second from the first send to the last request's end, by the clients."""
        return self.report.output_per_s

    @property
    def spent(self) -> Spent:
        """In all of the run."""
        links = [m.link for m in self.moments if m.link]
        used = links[-1].cpu - links[0].cpu if links else 0.0
        return Spent(self.report.client.cpu, used, self.report.client.processes)


def stack_of(
    run: Streamed,
    caps: Capacities,
    gap: Between,
    *,
    cores: float,
    rate: float | None = None,
    slow: Sequence[Readers] = (),
    offered: float = math.inf,
) -> Stack:
    """The whole path at the run's working point.

    caps: for the engine's threads; gap: see `engines.between`; cores: of the machine, which all
    processes share. rate: bytes/s of the link, None without one. slow: readers whose rate is
    known. offered: tokens/s asked for, where the queue is sometimes empty. A reader that can't
    keep up, or a link, pauses requests: they still are the engine's population.
    """
    done, inside = run.delivered, run.steady
    window = done.window
    if window.grown("steps") < FEW:
        # It ran ahead and has nothing to do: what a token asks of it, all of the run says.
        window = run.all.window
    engine = engine_stack(window, caps, gap)
    waits = fmean(m.waiting for m in inside) >= 0.5
    streams = fmean(m.active for m in inside)
    everything = max(1.0, run.report.output)
    spent = run.spent
    stations = [
        _front_end(done, run.all),
        Station("load client", Resource.CLIENT, spent.client / everything / spent.processes,
                spent.client / everything),
    ]  # fmt: skip
    if spent.link:
        each = spent.link / everything
        stations.append(Station("link's process", Resource.CLIENT, each, each))
    if rate is not None:
        stations.append(link(_on_the_wire(run), rate))
    idle = {"tell": _told(window, run.threads)}
    host = tuple(
        HostStage(s.name, each=idle[s.name] / max(1.0, window.grown("sequences")))
        if s.name in idle
        else s
        for s in engine.host
    )
    return replace(
        engine,
        host=host,
        stations=tuple(stations),
        readers=tuple(slow),
        population=math.inf if waits else max(window.batch, streams),
        offered=offered,
        shared_cores=cores,
    )


def _front_end(steady: Delivered, whole: Delivered) -> Station:
    """In the steady part; in all of the run where hardly a token was written there."""
    return (steady if steady.tokens >= FEW else whole).station()


def _told(window, threads: int) -> float:
    """Core-seconds outside of steps: an engine that waits for readers spends none.

    With one thread, whatever the process spent that was not in a step.
    """
    inside = sum(window.grown(n) for n in ("forward", "schedule", "draw", "emit"))
    rest = window.grown("cpu") - inside if threads == 1 else 0.0
    return max(rest, window.grown("tell"))


def _on_the_wire(run: Streamed) -> float:
    """Bytes a token as the link saw them, heads of responses included; else as the server did.

    Of the whole run: within it some tokens wait in buffers.
    """
    first, last, whole = run.moments[0].link, run.moments[-1].link, run.all
    if first is None or last is None or last.down <= first.down:
        return whole.bytes_per_token
    return (last.down - first.down) / max(1.0, whole.tokens)
