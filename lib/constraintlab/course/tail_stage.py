"""Run an engine under requests that come when they come: lab 07's stage.

A panel as lab 04's, over an open loop: what each request waited for, and how its first token's
time is spread, while cells await the run.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean, median

from constraintlab.course.calibrate import CEILINGS, Grounds, calibrated
from constraintlab.course.culprits import lives
from constraintlab.course.driver import Asked, Ran
from constraintlab.course.halves import Halves
from constraintlab.course.questions import Question
from constraintlab.course.serving_stage import ServingStage
from constraintlab.course.thinking import length
from constraintlab.engine.report import Report
from constraintlab.engine.request import Sampling
from constraintlab.engine.roomy import PROMPT
from constraintlab.engine.setup import Setup
from constraintlab.engine.window import Between, Window, engine_stack, measured
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.diagnose import diagnose
from constraintlab.limits.drift import midway
from constraintlab.limits.stack import Stack
from constraintlab.limits.verdict import Verdict
from constraintlab.load.tail import Seen
from constraintlab.panel import Curve, Latency

FRESH = 5.0
"""Seconds for which the ceilings after one run are those before the next."""

HALVES = {"short half": False, "long half": True}


@dataclass(frozen=True)
class Faced(Halves):
    """A run against users: what they saw, and the engine's verdict. offered: tokens/s that came."""

    name: str
    setup: Setup
    ran: Ran
    verdict: Verdict
    caps: Capacities
    offered: float

    @cached_property
    def seen(self) -> list[Seen]:
        """Each request, in the order in which they were sent; its index is its lane's number."""
        start = self.ran.reports[0].now
        pairs = zip(self.ran.answers, lives(self.ran), strict=True)
        return [Seen.of_answer(answer, start, life.number) for answer, life in pairs]

    @property
    def rate(self) -> float:
        """Output tokens a second over the whole run."""
        return self.ran.whole.rate

    @property
    def worst(self) -> Report:
        """The moment at which most requests waited, and of those one at which most ran."""
        return max(self.ran.reports, key=lambda r: (r.waiting, r.running))


class TailStage(ServingStage):
    """A panel over one engine whose policy and pool change from run to run."""

    def __init__(self, lab, *chips: str) -> None:
        super().__init__(lab, *chips)
        self._gaps: dict[tuple, Between] = {}
        self._offered = math.inf
        self._sizes: list[int] = []
        self._long: list[bool] = []
        self._grounds = Grounds(self.caps)
        self.promise: float | None = None
        """Seconds in which the first token should come."""

    @property
    def live(self) -> bool:
        """Whether requests may come now."""
        return self._live is not None

    async def face(
        self, name: str, setup: Setup, some: Sequence[Question] | Asked, at: Sequence[float],
        endless: bool = True,
    ) -> Faced:  # fmt: skip
        """An open loop: each question is sent when it is due, whatever the engine does. endless:
        they are a stretch of a day on which others come too; if not, nobody else exists."""
        offered = sum(map(length, some)) / max(at[-1], 1e-9) if endless else math.inf
        return await self._run(name, setup, some, offered, lambda: self.driver.run(some, at))

    async def spar(
        self, name: str, setup: Setup, some: Sequence[Question] | Asked, clients: int
    ) -> Faced:
        """A closed loop: each of so many clients sends its next question when it has an answer."""
        return await self._run(name, setup, some, math.inf, lambda: self.driver.spar(some, clients))

    async def alone(self, setup: Setup, prompt: Sequence[int]) -> float:
        """Seconds to the first token of a prompt that nobody is beside, the median of three."""
        await self.driver.use(setup)
        runs = [await self.driver.run([(prompt, Sampling(1))]) for _ in range(3)]
        return median(run.answers[0].times[0] - run.answers[0].sent for run in runs)

    async def _run(
        self, name: str, setup: Setup, some: Sequence[Question] | Asked, offered: float,
        run: Callable[[], Awaitable[Ran]],
    ) -> Faced:  # fmt: skip
        gap = await self._gap(setup, some)
        await self.driver.use(setup)
        before = self._grounds.now(setup, FRESH)
        self._offered, self._sizes = offered, list(map(length, some))
        self._long = [n > median(self._sizes) for n in self._sizes]
        self.source.restart()
        self._begin(before)
        self.sampler.start()
        self._live = (name, None, self.driver.heard[-1].now)
        telling = asyncio.ensure_future(self._tell(gap, before))
        try:
            ran = await run()
        finally:
            telling.cancel()
            live, self._live = self._live, None
            self.sampler.stop()
        caps = midway(before, self._grounds.now(setup), CEILINGS)
        verdict, _ = self._verdict(ran, gap, caps)
        faced = Faced(name, setup, ran, verdict, caps, offered)
        # It rests on the moment at which most waited, with the lines below its lanes.
        for report in ran.reports[: ran.reports.index(faced.worst) + 1]:
            self._draw(report, *live)
        self._latencies(None)
        self.panel.set_verdict(verdict)
        self.lab.measured(name, verdict)
        self._points.add(name, ran.whole, caps)
        return faced

    def _draw(self, report: Report, name: str, beside: None, since: float) -> None:
        super()._draw(report, name, beside, since)
        self._latencies(report.now - since)

    def _latencies(self, now: float | None) -> None:
        """The first tokens' times so far, of those whose answers will be short, and long."""
        times: dict[bool, list[float]] = {False: [], True: []}
        missing = Counter()
        for answer, long in zip(self.driver.answers, self._long, strict=False):
            if answer.times:
                times[long].append(answer.times[0] - answer.sent)
            else:
                missing[long] += 1
        curves = [Curve(what, times[long], missing[long]) for what, long in HALVES.items()]
        self.panel.set_latency(Latency("TTFT", curves, self.promise, now))

    async def _gap(self, setup: Setup, some: Sequence[Question] | Asked) -> Between:
        longest = max(PROMPT, *(len(one.prompt if isinstance(one, Question) else one[0])
                                for one in some))  # fmt: skip
        if setup.policy == "chunked":
            longest = max(PROMPT, min(longest, setup.tokens))
        key = setup.model, setup.dtype, setup.threads, setup.device, longest
        if key not in self._gaps:
            self._gaps[key] = (await calibrated(self.driver, setup, self.caps, longest))[0]
        return self._gaps[key]

    def _verdict(self, ran: Ran, gap: Between, caps: Capacities) -> tuple[Verdict, Stack]:
        """While requests still came. On an endless day whoever comes later is part of the
        population: so a load that is less than what full slots would do is itself what binds."""
        window = ran.coming
        stack = engine_stack(window, caps, gap)
        if math.isfinite(self._offered):
            stack = replace(stack, offered=self._came(window), population=math.inf)
        rates = measured(ran.within(window))
        return diagnose(stack, caps, measured=replace(rates, value=window.rate)), stack

    def _came(self, window: Window) -> float:
        """Tokens/s that were asked for in the window: what was drawn, and what the queue grew by.
        Of who waits nobody knows how long the answer will be: as long as the others, on average."""
        waiting = (window.last.waiting - window.first.waiting) * fmean(self._sizes)
        return max(1e-9, window.grown("tokens") + waiting) / window.seconds
