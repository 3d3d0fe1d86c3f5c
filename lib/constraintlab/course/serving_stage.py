"""Run an engine under the live panel: lab 04's and 05's stage.

The engine has a process of its own and a cell awaits it, so the notebook's kernel stays free: the
panel draws, and what a person clicks acts at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from constraintlab.course.calibrate import calibrated, probed
from constraintlab.course.driver import Driver, Ran
from constraintlab.course.engine_source import EngineSource
from constraintlab.course.questions import Question
from constraintlab.course.roof import Roof, peak
from constraintlab.engine.report import Report
from constraintlab.engine.setup import Setup
from constraintlab.engine.window import Between, Window, engine_stack, measured
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.diagnose import diagnose
from constraintlab.limits.drift import midway
from constraintlab.limits.resource import Resource
from constraintlab.limits.stack import Stack
from constraintlab.limits.verdict import Verdict

INTERIM = 1.0
"""Seconds between two verdicts while a run goes on."""


@dataclass(frozen=True)
class Served:
    """A workload served under the panel: its verdict and what it rests on.

    gap: the time between kernels, measured before. `window` is the part of the run in which
    requests waited, if they did; `ran.whole` is all of it.
    """

    name: str
    setup: Setup
    verdict: Verdict
    stack: Stack
    caps: Capacities
    gap: Between
    ran: Ran

    @property
    def window(self) -> Window:
        return self.ran.busiest

    @property
    def rate(self) -> float:
        """Output tokens a second in that window."""
        return self.window.rate

    @property
    def peak_share(self) -> float:
        """FLOP/s, counted over measured time, ÷ the ceiling of the engine's threads."""
        return self.window.flops() / peak(self.caps)

    @property
    def inside(self) -> float:
        """Share of the time inside kernels: the forward pass less what was measured between
        them."""
        w = self.window
        between = w.grown("steps") * self.gap.fixed + w.grown("sequences") * self.gap.each
        return max(0.0, w.grown("forward") - between) / w.seconds


class ServingStage:
    """A panel over an engine, or over several one after the other."""

    def __init__(self, lab, *chips: str) -> None:
        from constraintlab.panel import Panel
        from constraintlab.telemetry.host import HostSource
        from constraintlab.telemetry.sampler import Sampler

        self.lab, self.source = lab, EngineSource()
        self._roof: Capacities | None = None
        self._known: dict[tuple, tuple[Between, list[str]]] = {}
        self._live: tuple[str, Served | None, float] | None = None
        self.driver = Driver(self._hear)
        self.sampler = Sampler([HostSource(), self.source])
        self.caps = lab.capacities
        self.panel = Panel(
            lab=lab.number, chips=("measured · this machine", *chips), sampler=self.sampler
        )
        self.panel.set_strip(lab.strip())
        self._points = Roof(self.panel)

    async def serve(
        self, name: str, setup: Setup, some: Sequence[Question], beside: Served | None = None
    ) -> Served:
        """Submit all questions at once to an engine of this setup; await the last answer.

        What lies between kernels is measured before the first run of such an engine; ceilings
        before and after each.
        beside: an earlier run, whose pool is shown beside this one.
        """
        gap, before, names = await self._calibrated(setup)
        await self.driver.use(setup)
        self.source.restart()
        self._begin(before)
        self.sampler.start()
        self._live = (name, beside, self.driver.heard[-1].now)
        telling = asyncio.ensure_future(self._tell(gap, before))
        try:
            ran = await self.driver.run(some)
        finally:
            telling.cancel()
            live, self._live = self._live, None
            self.sampler.stop()
        # It rests on a moment with a queue, and the reports before draw the lines below its lanes.
        for report in ran.reports[: ran.reports.index(ran.typical) + 1]:
            self._draw(report, *live)
        caps = midway(before, probed(before, names, setup), names)
        verdict, stack = self._verdict(ran, gap, caps)
        served = Served(name, setup, verdict, stack, caps, gap, ran)
        self.panel.set_verdict(verdict)
        self.lab.measured(name, verdict)
        self._points.add(name, served.window, served.caps)
        return served

    def close(self) -> None:
        """End the engine, and let the panel rest on what it last showed."""
        self.driver.close()
        self.panel.close()

    async def _calibrated(self, setup: Setup) -> tuple[Between, Capacities, list[str]]:
        """As `calibrated`; for an engine whose gaps are known only the ceilings are probed."""
        attention = tuple(sorted(setup.attention.items()))
        s = setup
        key = s.model, s.dtype, s.threads, s.device, s.graphs, s.kv, s.blocks, attention
        if key in self._known:
            gap, names = self._known[key]
            return gap, probed(self.caps, names, setup), names
        found = await calibrated(self.driver, setup, self.caps)
        self._known[key] = found[0], found[2]
        return found

    def _hear(self, report: Report) -> None:
        self.source.take(report)
        live = self._live
        if live is not None:
            self._draw(report, *live)

    def _draw(self, report: Report, name: str, beside: Served | None, since: float) -> None:
        """The pool and the lanes at this moment."""
        from constraintlab.course.kvview import kv_map, lanes

        other = [kv_map(beside.name, beside.ran.typical)] if beside else []
        self.panel.set_maps([*other, kv_map(name, report)])
        self.panel.set_lanes(lanes(report, since))

    async def _tell(self, gap: Between, caps: Capacities) -> None:
        """A verdict a second while the engine works."""
        while True:
            await asyncio.sleep(INTERIM)
            so_far = Ran(tuple(self.driver.heard), ())
            if len(so_far.reports) > 2 and so_far.whole.grown("counted_steps"):
                self.panel.set_verdict(self._verdict(so_far, gap, caps)[0])

    def _verdict(self, ran: Ran, gap: Between, caps: Capacities) -> tuple[Verdict, Stack]:
        window = ran.busiest
        stack = engine_stack(window, caps, gap)
        rates = measured(ran.within(window))
        return diagnose(stack, caps, measured=replace(rates, value=window.rate)), stack

    def _begin(self, caps: Capacities) -> None:
        """Draw with these ceilings; those of the first run stay, so that its lines do too."""
        from constraintlab.panel import Series

        if self._roof is not None:
            return
        self._roof = caps
        self.panel.set_timeline(
            [
                Series("engine.kv_reserved_share", "KV reserved", Resource.KV_CAPACITY, 1.0),
                Series("engine.bytes_per_s", "bandwidth", Resource.BANDWIDTH, caps.bandwidth.value),
                Series("engine.flops_per_s", "compute", Resource.COMPUTE, peak(caps)),
                Series("engine.forward_share", "in the forward pass", None, 1.0),
            ]
        )
