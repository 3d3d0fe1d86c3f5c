"""`Round`: one fault in a server of its own, under a load that is fair to it."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, replace
from functools import cached_property

from constraintlab.course.line import Line, Plan
from constraintlab.engine.setup import Setup
from constraintlab.gameday.closed import MOST, ClosedJob
from constraintlab.gameday.fault import Fault
from constraintlab.gameday.rigged import Rigged
from constraintlab.load import preflight
from constraintlab.load.arrivals import Poisson, Uniform
from constraintlab.load.fleet import Fleet, Ran
from constraintlab.load.job import Job
from constraintlab.load.profiles import Lengths, Profile
from constraintlab.load.report import Report
from constraintlab.load.target import Target
from constraintlab.load.workload import Workload
from constraintlab.serving.launch import Server
from constraintlab.serving.link import Link
from constraintlab.telemetry.exposition import Scrape
from constraintlab.telemetry.metrics_source import fetch

SETUP = Setup(model="reasoner", policy="chunked", slots=MOST, tokens=128, blocks=256, threads=1)
"""Of every round, but for what its fault changes. The clients that lie keep its slots full."""

ANSWER, SPREAD = 48, 0.5
"""Median tokens of an answer, and the deviation of their logarithm."""

SHORT, LONG, OFTEN = 24, 1200, 0.06
"""Tokens of a prompt, of a long one, and how many are long where that is the fault."""

SLOWER = 0.35
"""What a token's text takes where that is the fault, in times that a token takes in all."""

NARROW = 0.7
"""A throttled link's rate over the bytes that are written to it."""

PATIENCE = 10.0
"""Seconds that a server has to notice that its clients left."""

LEAKED = 1.5
"""Of the pool, in a round, were there so much: it is full by the middle, and what comes of that
fills the seconds that a verdict is on."""


def users(long: bool = False) -> Profile:
    """Who comes: short prompts, and some long ones on request."""
    answers = Lengths(((1.0, math.log(ANSWER), SPREAD),), 4, 6 * ANSWER)
    prompts = ((1.0, math.log(SHORT), 0.2),)
    if long:
        prompts = ((1 - OFTEN, math.log(SHORT), 0.2), (OFTEN, math.log(LONG), 0.1))
    return Profile("users", Lengths(prompts, 8, 1500), answers)


MEAN = ANSWER * math.exp(SPREAD**2 / 2)
"""Tokens of an answer."""


@dataclass(frozen=True)
class Unharmed:
    """What this machine's server does without a fault: output tokens a second with all slots full,
    and bytes on the wire for each."""

    rate: float
    bytes_per_token: float


def measure(server: Server, requests: int = 80) -> Unharmed:
    """Ask a server without faults for all at once, twice, and take the second run. Blocking."""
    with Line(Plan("unharmed", SETUP), server=server) as line:
        text = asyncio.run(preflight.text(Target(line.url, line.model)))
        for n in (MOST, requests):
            ran = line.run(Workload(Uniform(1e4), users(), limit=n, text=text))
    return Unharmed(ran.rate.value, ran.delivered.bytes_per_token)


class Round:
    """Puts the fault into a server that nobody uses, then load on it on `start`; use it with
    `with`, or call `close`: the server stays.

    seconds: of load. url: where users connect; inside: where whoever runs the server looks. said:
    requests a second, as the load's makers say.
    """

    def __init__(
        self, fault: Fault, known: Unharmed, seconds: float, server: Server, seed: int = 0
    ) -> None:
        self.fault, self.seconds, self._known, self._seed = fault, seconds, known, seed
        self.said = fault.load * known.rate / MEAN
        self._link: Link | None = None
        self._fleet: Fleet | None = None
        self._server = server
        server.change(self.setup)
        if fault.name == "link":
            carried = self.said * MEAN * known.bytes_per_token
            self._link = Link(server.url, rate=NARROW * carried)

    @cached_property
    def setup(self) -> Setup:
        """The server's, with the fault in it where it is the engine's."""
        name = self.fault.name
        if name == "detokeniser":
            return self._rigged(detokenise=SLOWER / self._known.rate)
        if name == "leak":
            held = math.ceil((SHORT + MEAN) / SETUP.block_size)
            given_back = self.said * self.seconds * held
            return self._rigged(leak=max(1, round(given_back / (LEAKED * SETUP.blocks))))
        if name == "prefill":
            return replace(SETUP, policy="continuous", tokens=2048)
        if name == "metric":
            return self._rigged(renamed=True)
        return SETUP

    def _rigged(self, **fault) -> Rigged:
        return Rigged(**{n: getattr(SETUP, n) for n in SETUP.__dataclass_fields__}, **fault)

    @property
    def url(self) -> str:
        return self._link.url if self._link else self._server.url

    @property
    def inside(self) -> str:
        return self._server.url

    def start(self) -> None:
        """The load begins. Blocking: a client's process starts."""
        target = Target(self.url, SETUP.model)
        work = Workload(
            Poisson(self.said), users(self.fault.name == "prefill"), self.seconds, seed=self._seed,
            text=asyncio.run(preflight.text(target)),
        )  # fmt: skip
        job = ClosedJob if self.fault.name == "closed" else Job
        self._fleet = Fleet(target, work, job=job)

    @property
    def running(self) -> bool:
        """Whether requests still come, or are under way."""
        return self._fleet is not None and self._fleet.running

    def stop(self) -> Report:
        """Hang up on whoever is still there, and wait until the server is empty; what users saw."""
        if self._fleet is None:
            raise RuntimeError("no load has begun: call `start` first")
        self._fleet.stop()
        ran: Ran = self._fleet.wait(30)
        self._fleet.close()
        self._fleet = None
        self._empty()
        return Report.of(ran.records, client=ran.used)

    def close(self) -> None:
        """Load and link end; may be called twice."""
        if self._fleet:
            self._fleet.close()
            self._fleet = None
            self._empty()
        if self._link:
            self._link.close()

    def _empty(self) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            text = fetch(f"{self._server.url}/metrics", PATIENCE)
            if not any(Scrape.of(text, 0.0).series["constraintlab:streams_open"].values()):
                return
            time.sleep(0.05)
        raise TimeoutError(f"requests are still open {PATIENCE:g} s after their clients left")

    def __enter__(self) -> Round:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
