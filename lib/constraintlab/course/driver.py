"""`Driver`: hand workloads to an engine in a process of its own, and keep what it reported."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from constraintlab.course.questions import Question, asked, wrong
from constraintlab.engine.answer import Answer
from constraintlab.engine.process import EngineProcess
from constraintlab.engine.report import Report
from constraintlab.engine.request import Sampling
from constraintlab.engine.setup import Setup
from constraintlab.engine.window import Window
from constraintlab.limits.estimate import Estimate
from constraintlab.load.direct import Due, Offered

POLL = 0.002
"""Seconds between two looks for a report that is due."""

WARM = [([1, 2, 3], Sampling(8))]
"""What a new engine answers before anything counts: its pool is touched, its kernels run."""

PATIENCE = 10.0
"""Seconds after the last answer in which the engine's last report must come."""

Asked = Sequence[tuple[Sequence[int], Sampling]]


@dataclass(frozen=True)
class Ran:
    """A workload served to its end.

    reports: from just before the first submission to when nothing ran any more. wrong: starts whose
    answers are not right.
    """

    reports: tuple[Report, ...]
    answers: tuple[Answer, ...]
    wrong: tuple[int, ...] = ()

    @property
    def offered(self) -> Offered:
        """Its requests with the moments at which they were sent, and what became of them."""
        start = self.reports[0].now
        due = [Due(a.sent - start, len(a.prompt), len(a.tokens)) for a in self.answers]
        return Offered(due, self.answers, [d.at for d in due], self.reports)

    @property
    def whole(self) -> Window:
        """From the first submission to the last answer."""
        return Window(self.reports[0], self.reports[-1])

    @property
    def busiest(self) -> Window:
        """The part in which the queue never emptied; all of it if it hardly ever was full."""
        full = [r for r in self.reports if r.waiting]
        return Window(full[0], full[-1]) if len(full) >= 3 else self.whole

    @property
    def coming(self) -> Window:
        """The part in which requests still came; all of it if they came at once."""
        last = max(a.sent for a in self.answers) if self.answers else self.reports[-1].now
        before = [r for r in self.reports if r.now <= last]
        return Window(before[0], before[-1]) if len(before) >= 3 else self.whole

    @property
    def typical(self) -> Report:
        """A moment in the middle of the part in which the queue never emptied."""
        inside = self.within(self.busiest)
        return inside[len(inside) // 2]

    def within(self, window: Window) -> list[Report]:
        """The reports of a window."""
        return [r for r in self.reports if window.first.now <= r.now <= window.last.now]


class Driver:
    """At most one engine at a time. on_report: hears every report, from a thread of its own."""

    def __init__(self, on_report: Callable[[Report], object] = lambda report: None) -> None:
        self.engine: EngineProcess | None = None
        self.heard: list[Report] = []
        """Of the run that goes on, or of the last one."""
        self.answers: list[Answer] = []
        """To its requests, as far as they are sent."""
        self._sink = on_report

    async def use(self, setup: Setup) -> None:
        """From now on an engine of this setup, warmed up: the present process if it can have it."""
        same = ("model", "dtype", "threads")
        engine = self.engine
        if engine and all(getattr(setup, n) == getattr(engine.setup, n) for n in same):
            await asyncio.to_thread(engine.change, setup)
        else:
            self.close()
            self.engine = await asyncio.to_thread(EngineProcess, setup, self._hear)
        await self.run(WARM)

    async def run(self, some: Sequence[Question] | Asked, at: Sequence[float] = ()) -> Ran:
        """Submit all and wait for the last answer; questions' are checked. at: an open loop, each
        so many seconds after the start whatever the engine does; all at once without."""

        async def open_loop(requests: Asked) -> None:
            start = time.monotonic()
            for request, due in zip(requests, at or [0.0] * len(requests), strict=True):
                wait = start + due - time.monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
                self.answers.append(self.engine.submit(*request))
            for answer in self.answers:
                await answer

        return await self._run(some, open_loop)

    async def spar(self, some: Sequence[Question] | Asked, clients: int) -> Ran:
        """A closed loop, as most benchmarks are: each of so many clients asks its next question
        when its last one is answered, so that an engine that is late is asked less."""

        async def closed_loop(requests: Asked) -> None:
            queue = iter(requests)

            async def client() -> None:
                for request in queue:
                    answer = self.engine.submit(*request)
                    self.answers.append(answer)
                    await answer

            await asyncio.gather(*(client() for _ in range(clients)))

        return await self._run(some, closed_loop)

    async def _run(
        self, some: Sequence[Question] | Asked, loop: Callable[[Asked], Awaitable[None]]
    ) -> Ran:
        checked = bool(some) and isinstance(some[0], Question)
        requests = asked(some) if checked else some
        self.heard, self.answers = [], []
        await self.report()
        await loop(requests)
        answers = self.answers
        await self._until(
            lambda heard: heard[-1].totals["finished"] - heard[0].totals["finished"] >= len(answers)
        )
        errors = wrong(some, answers) if checked else ()
        return Ran(tuple(self.heard), tuple(answers), tuple(errors))

    async def report(self) -> Report:
        """The engine as it is now."""
        known = len(self.heard)
        self.engine.ask()
        await self._until(lambda heard: len(heard) > known)
        return self.heard[-1]

    def close(self) -> None:
        """End the engine's process."""
        if self.engine is not None:
            self.engine.close()
            self.engine = None

    def _hear(self, report: Report) -> None:
        self.heard.append(report)
        self._sink(report)

    async def _until(self, condition: Callable[[list[Report]], object]) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + PATIENCE
        while not condition(self.heard):
            if self.engine.died:
                raise self.engine.died
            if loop.time() > end:
                raise TimeoutError(f"the engine has not reported for {PATIENCE:g} s")
            await asyncio.sleep(POLL)


async def race(
    driver: Driver, setups: Mapping[str, Setup], some: Sequence[Question], rounds: int
) -> dict[str, list[Ran]]:
    """Every setup once a round on the same questions, the order turning round by round."""
    found: dict[str, list[Ran]] = {name: [] for name in setups}
    for i in range(rounds):
        for name in list(setups)[:: -1 if i % 2 else 1]:
            await driver.use(setups[name])
            found[name].append(await driver.run(some))
    return found


def gain(ours: Sequence[Ran], theirs: Sequence[Ran]) -> Estimate:
    """Throughput of ours ÷ theirs, round by round: the median, lowest and highest."""
    ratios = [a.whole.rate / b.whole.rate for a, b in zip(ours, theirs, strict=True)]
    return Estimate.of(ratios, "×")
