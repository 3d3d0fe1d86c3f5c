"""An open loop straight into an engine's process: what the engine does, without HTTP on top.

The same requests then go through a virtual clock, at the moments at which they were sent.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from constraintlab.engine.answer import Answer
from constraintlab.engine.kv.counted import CountedKV
from constraintlab.engine.process import EngineProcess
from constraintlab.engine.report import Report
from constraintlab.engine.request import Sampling
from constraintlab.engine.setup import Setup
from constraintlab.engine.virtual.clock import Clock
from constraintlab.engine.virtual.cost import StepCost, Took
from constraintlab.engine.virtual.ghost import Ghost
from constraintlab.engine.virtual.speed import Speed
from constraintlab.load.arrivals import Arrivals
from constraintlab.load.workload import Source

WORDS = 9
"""Token ids that prompts are made of, from 1 on; every model has so many."""

WINDOW = 0.1
"""Seconds of a run in which the machine has one speed: an engine reports ten times a second, and a
machine with neighbours changes its speed as often."""

PATIENCE = 300.0
"""Seconds for an answer, from when all were sent."""


@dataclass(frozen=True)
class Due:
    """A request: seconds from the run's start, and its tokens."""

    at: float
    prompt: int
    output: int


def drawn(source: Source, n: int, seed: int = 0, arrivals: Arrivals | None = None) -> list[Due]:
    """n requests of a source's lengths; all at once without arrivals."""
    sizes = source.draws(Random(f"{seed} lengths"))
    times = arrivals.times(Random(f"{seed} arrivals")) if arrivals else iter([0.0] * n)
    found = []
    for _, at, size in zip(range(n), times, sizes, strict=False):
        found.append(Due(at, size.prompt, size.output))
    return found


@dataclass(frozen=True)
class Offered:
    """What became of them. sent: seconds from the run's start at which each was; reports: the
    engine's, from before the first to after the last."""

    due: Sequence[Due]
    answers: Sequence[Answer]
    sent: Sequence[float]
    reports: Sequence[Report]

    @property
    def ttft(self) -> list[float]:
        """Seconds to the first token, request by request, on the engine's clock."""
        return [a.times[0] - a.sent for a in self.answers]

    @property
    def e2e(self) -> list[float]:
        """Seconds to the last token."""
        return [a.times[-1] - a.sent for a in self.answers]

    @property
    def steps(self) -> list[Took]:
        """All steps of the engine."""
        return [step for report in self.reports[1:] for step in report.steps]

    @property
    def rate(self) -> float:
        """Output tokens a second, from the first request to the last token."""
        return sum(d.output for d in self.due) / self.seconds

    @property
    def seconds(self) -> float:
        """From the first request to the last token."""
        first = min(a.sent for a in self.answers)
        return max(a.times[-1] for a in self.answers) - first

    @property
    def saturated(self) -> float:
        """Output tokens a second while requests waited; NaN if they never did."""
        full = [r for r in self.reports if r.waiting]
        if len(full) < 2:
            return float("nan")
        tokens = full[-1].totals["tokens"] - full[0].totals["tokens"]
        return tokens / (full[-1].now - full[0].now)

    def gaps(self, requests: Sequence[int]) -> list[float]:
        """ITL of some of them: each gap between two tokens."""
        return [b - a for i in requests for a, b in pairwise(self.answers[i].times)]

    def calibrated(self, window: float = WINDOW) -> tuple[StepCost, Speed]:
        """What a step costs, fitted to all steps of this run, and how fast the machine was window
        by window: one with neighbours is not as fast from one second to the next. A step that took
        longer than a window is one by itself: the machine stood still. ValueError where it took
        too few steps."""
        cost, start = StepCost.fit(self.steps), self.reports[0].now
        since, rates, begun, some = [], [], start, []

        def close(until: float) -> None:
            nonlocal begun
            if until > begun:
                took = sum(step.seconds for step in some)
                since.append(begun - start)
                rates.append(sum(map(cost.of, some)) / took if took else 1.0)
                begun = until
                some.clear()

        for report in self.reports[1:]:
            some += report.steps
            if some and some[-1].seconds > window:  # and was reported as it ended
                long = some.pop()
                close(report.now - long.seconds)
                some.append(long)
            if report.now - begun >= window or report is self.reports[-1]:
                close(report.now)
        return cost, Speed(since, rates)

    def replay(self, setup: Setup) -> list[Ghost]:
        """The same requests, sent at the same moments, on a virtual clock with this policy, pool
        and budget, calibrated by this very run."""
        ghosts = [
            Ghost(i, due.prompt, due.output, sent)
            for i, (due, sent) in enumerate(zip(self.due, self.sent, strict=True))
        ]
        kv = CountedKV(setup.blocks, setup.block_size)
        cost, speed = self.calibrated()
        Clock(setup.scheduler(), kv, setup.budget(), cost, speed=speed).run(ghosts)
        return ghosts


class Direct:
    """An engine in a process of its own that requests are offered to. Use it with `with`."""

    def __init__(self, setup: Setup) -> None:
        self._heard: list[Report] = []
        self.engine = EngineProcess(setup, self._heard.append)

    @property
    def setup(self) -> Setup:
        """The engine's, with the policy that it has now."""
        return self.engine.setup

    def offer(self, due: Sequence[Due]) -> Offered:
        """Send each when it is due, whatever the engine does, and wait for the last answer."""
        self._heard.clear()
        self._report()
        start, answers = time.monotonic(), []
        for one in due:
            wait = start + one.at - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            prompt = [1 + i % WORDS for i in range(one.prompt)]
            answers.append(self.engine.submit(prompt, Sampling(one.output)))
        for answer in answers:
            answer.result(PATIENCE)
        self._report()
        return Offered(due, answers, [a.sent - start for a in answers], tuple(self._heard))

    def _report(self) -> None:
        known = len(self._heard)
        self.engine.ask()
        end = time.monotonic() + PATIENCE
        while len(self._heard) == known or self._heard[-1].running:
            if self.engine.died:
                raise self.engine.died
            if time.monotonic() > end:
                raise TimeoutError(f"the engine has not reported for {PATIENCE:g} s")
            time.sleep(0.002)

    def __enter__(self) -> Direct:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.close()
