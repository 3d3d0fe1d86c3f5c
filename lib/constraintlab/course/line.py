"""`Line`: a server, a link if there is one, and clients: run a workload along it and keep what it
said. Blocking; a notebook awaits it in a thread, so that its panel draws meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from constraintlab.course.streamed import Moment, Spent, Streamed
from constraintlab.engine.setup import Setup
from constraintlab.load.fleet import Fleet
from constraintlab.load.report import Report
from constraintlab.load.target import Target
from constraintlab.load.workload import Workload
from constraintlab.serving.launch import Server
from constraintlab.serving.link import Link
from constraintlab.telemetry.exposition import Scrape
from constraintlab.telemetry.metrics_source import fetch

EVERY = 0.2
"""Seconds between two looks at the server."""

SETTLE = 0.15
"""Seconds after an answer in which the engine's report of it comes: there are ten a second."""


@dataclass(frozen=True)
class Plan:
    """What is run: the engine's setup, the server's options, the link's settings (None: no link),
    how many streams read slowly and how fast (bytes/s), and the clients' processes."""

    name: str
    setup: Setup
    options: Mapping[str, object] = field(default_factory=dict)
    link: Mapping[str, object] | None = None
    slow: int = 0
    slow_rate: float = 0.0
    processes: int = 1

    def shares(self, other: Plan) -> bool:
        """Whether both need the same server."""
        return self.setup == other.setup and dict(self.options) == dict(other.options)

    @property
    def stream_interval(self) -> int:
        """Tokens to an event."""
        return int(self.options.get("stream_interval", 1))

    def becomes(self, other: Plan) -> bool:
        """Whether this plan's server can `change` into the other's."""
        mine, its = ({**p.options, "stream_interval": 1} for p in (self, other))
        same = ("model", "dtype", "threads")
        return mine == its and all(getattr(self.setup, n) == getattr(other.setup, n) for n in same)


class Line:
    """A started plan; use it with `with`, or call `close`. on_moment: called with each look, from
    the thread that runs. server: one that runs already and is left running, of a plan that shares
    it."""

    def __init__(
        self,
        plan: Plan,
        on_moment: Callable[[Moment], object] = lambda m: None,
        server: Server | None = None,
    ) -> None:
        self.plan, self._on_moment = plan, on_moment
        self.link: Link | None = None
        self.fleet: Fleet | None = None
        self.server, self._owns = server or Server(plan.setup, **plan.options), server is None
        try:
            if plan.link is not None:
                self.link = Link(self.server.url, **plan.link)
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        """Where clients connect."""
        return self.link.url if self.link else self.server.url

    @property
    def model(self) -> str:
        """As clients call it."""
        return self.plan.options.get("name") or self.plan.setup.model

    def look(self) -> Moment:
        """Server and link as they are now."""
        text = fetch(f"{self.server.url}/metrics", 10.0)
        return Moment(Scrape.of(text, time.monotonic()), self.link.stats() if self.link else None)

    def run(self, workload: Workload, timeout: float = 300.0) -> Streamed:
        """All of a workload. TimeoutError when it is not over in time."""
        plan, end = self.plan, time.monotonic() + timeout
        time.sleep(SETTLE)  # what was asked before is in the engine's report by then
        moments = [self.look()]
        with Fleet(Target(self.url, self.model), workload, plan.processes) as fleet:
            self.fleet = fleet
            if plan.slow:
                fleet.slow(plan.slow, plan.slow_rate)
            while fleet.running:
                time.sleep(EVERY)
                moments.append(self.look())
                self._on_moment(moments[-1])
                if time.monotonic() > end:
                    raise TimeoutError(f"{plan.name}: not over after {timeout:g} s")
            ran = fleet.wait()
        self.fleet = None
        time.sleep(SETTLE)
        moments.append(self.look())
        report = Report.of(ran.records, client=ran.used)
        first, last = moments[0].link, moments[-1].link
        spent = Spent(ran.used.cpu, last.cpu - first.cpu if last else 0.0, ran.used.processes)
        return Streamed(
            plan.name, tuple(moments), report.output, spent, plan.setup.threads or 0,
            report, ran.records, fleet.start,
        )  # fmt: skip

    def close(self) -> None:
        """End the link, and the server unless it was there before."""
        if self.link:
            self.link.close()
        if self._owns:
            self.server.close()

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
