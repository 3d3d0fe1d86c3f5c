"""Run a served, streamed workload under the live panel: lab 06's stage.

Server, link and clients have processes of their own, and a cell awaits the run in a thread: the
panel draws, and what a person moves acts at once.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from statistics import fmean

from constraintlab.course.calibrate import calibrated, probed
from constraintlab.course.clientview import lanes
from constraintlab.course.driver import Driver
from constraintlab.course.engines import Between
from constraintlab.course.line import Line, Plan
from constraintlab.course.line_source import LineSource
from constraintlab.course.streamed import Moment, Passage, Streamed
from constraintlab.course.streamed_stack import stack_of
from constraintlab.course.told import Told, Undelivered
from constraintlab.engine.setup import Setup
from constraintlab.engine.stub import pace
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.diagnose import diagnose
from constraintlab.limits.drift import midway
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource
from constraintlab.limits.stack import Stack
from constraintlab.limits.verdict import Verdict
from constraintlab.load.live import Counters
from constraintlab.load.workload import Workload
from constraintlab.serving.launch import Server

CEILINGS = ("compute.float32", "compute.exp", "bandwidth")
INTERIM = 5
"""Looks from one verdict to the next while a run goes on: a second."""

WARM = 2
"""Requests of a new server before anything counts."""

Meanwhile = Callable[[Line], Awaitable[object]]


class StreamingStage:
    """A panel over servers, one after the other; a plan that shares its server with the one before
    finds it warm."""

    def __init__(self, lab, *chips: str) -> None:
        from constraintlab.limits import probe
        from constraintlab.panel import Panel, Series
        from constraintlab.telemetry.host import HostSource
        from constraintlab.telemetry.sampler import Sampler

        self.lab, self.source = lab, LineSource()
        self.line: Line | None = None
        """What runs now."""
        self.on_look: Callable[[Moment, Counters], object] = lambda moment, counters: None
        """Called with each look at a run, from another thread."""
        # The engine runs on the processor, also where the machine has a GPU.
        self.caps = lab.capacities if lab.device == "cpu" else probe.capacities("cpu", say=print)
        self.sampler = Sampler([HostSource(), self.source])
        chips = ("measured · this machine", *chips)
        self.panel = Panel(lab=lab.number, chips=chips, sampler=self.sampler)
        self.panel.set_strip(lab.strip())
        self.panel.set_timeline(
            [
                Series("link.full_share", "link", Resource.NETWORK),
                Series("server.front_end_cores", "front end's core", Resource.HOST),
                Series("client.cores", "client's core", Resource.CLIENT),
                Series("server.host_forward_cores", "engine in its forward pass", None),
            ]
        )
        self._gaps: dict[tuple, Between] = {}
        self._kept: tuple[Plan, Server] | None = None
        self._looks, self._most, self._now = 0, 0, self.caps

    async def stream(
        self, plan: Plan, workload: Workload, meanwhile: Meanwhile | None = None
    ) -> Told:
        """The workload along a line of this plan, its panel drawing; the verdict.

        meanwhile: awaited with the line once its clients run. Raises Undelivered where no token
        came.
        """
        gap = await self._gap(plan.setup)
        server = await self._server(plan, workload)
        self._now = await asyncio.to_thread(self._probed, plan.setup)
        self.source.restart()
        self._looks = self._most = 0
        line = await asyncio.to_thread(Line, plan, lambda m: self._look(m, gap), server)
        self.line = line
        self.sampler.start()
        beside = asyncio.ensure_future(_once_running(line, meanwhile)) if meanwhile else None
        try:
            ran = await asyncio.to_thread(line.run, workload)
            if beside:
                await beside
        finally:
            if beside:
                beside.cancel()
            self.sampler.stop()
            self.line = None
            await asyncio.to_thread(line.close)
        if not ran.output:
            raise Undelivered.of(ran, server)
        after = await asyncio.to_thread(self._probed, plan.setup)
        told = self._told(plan, ran, gap, midway(self._now, after, CEILINGS))
        self.panel.set_verdict(told.verdict)
        return told

    def close(self) -> None:
        """End the server, and let the panel rest on what it last showed."""
        if self._kept:
            self._kept[1].close()
        self._kept = None
        self.panel.close()

    async def _server(self, plan: Plan, workload: Workload) -> Server:
        """The one of the plan before, or a new one, warmed up."""
        if self._kept and self._kept[0].shares(plan) and self._kept[1].running:
            return self._kept[1]
        if self._kept:
            await asyncio.to_thread(self._kept[1].close)
        self._kept = None
        server = await asyncio.to_thread(lambda: Server(plan.setup, **plan.options))
        self._kept = (plan, server)
        if pace(plan.setup.model) is None:
            line = Line(replace(plan, link=None, slow=0), server=server)
            await asyncio.to_thread(line.run, replace(workload, limit=WARM))
        return server

    async def _gap(self, setup: Setup) -> Between:
        """What lies between this engine's kernels; a stub has none."""
        key = setup.model, setup.dtype, setup.threads
        if pace(setup.model) is not None:
            return Between()
        if key not in self._gaps:
            driver = Driver()
            try:
                plain = replace(setup, words=False)
                self._gaps[key] = (await calibrated(driver, plain, self.caps))[0]
            finally:
                driver.close()
        return self._gaps[key]

    def _probed(self, setup: Setup) -> Capacities:
        """The ceilings that a verdict on this engine needs, as they are now."""
        names = CEILINGS if pace(setup.model) is None else ()
        return probed(self.caps, list(names), setup.threads)

    def _look(self, moment: Moment, gap: Between) -> None:
        """Draw this moment, and a verdict now and then; from the thread that runs."""
        line = self.line
        fleet = line.fleet if line else None
        if fleet is None:
            return
        counters = fleet.counters
        self.source.take(moment, counters)
        self._most = max(self._most, counters.open)
        if 2 * counters.open >= self._most:
            # Afterwards the panel rests on what it was like, not on how it faded out.
            self.panel.set_stream(self.source.stream(counters.now))
            self.panel.set_lanes(lanes(fleet, moment))
        self._looks += 1
        if self._looks % INTERIM == 0:
            setup = line.plan.setup
            seen = self.source.passage(line.plan.name, line.plan.processes, setup.threads or 0)
            if seen is not None and seen.output > 0:
                rate = self.source.rate()
                self.panel.set_verdict(self._verdict(line, seen, gap, rate))
        self.on_look(moment, counters)

    def _verdict(self, line: Line, seen: Passage, gap: Between, rate: float) -> Verdict:
        """On the last moments; the link as it is set now."""
        stack = self._stack(line.plan, seen, self._now, gap, _carries(line))
        return diagnose(stack, self._now, measured=Estimate(rate, rate, rate, "tok/s"))

    def _told(self, plan: Plan, ran: Streamed, gap: Between, caps: Capacities) -> Told:
        stack = self._stack(plan, ran, caps, gap, (plan.link or {}).get("rate"))
        return Told(plan, ran, diagnose(stack, caps, measured=ran.rate), stack, caps)

    def _stack(
        self, plan: Plan, run: Passage, caps: Capacities, gap: Between, rate: float | None
    ) -> Stack:
        """A stub with a pace offers so many tokens a second to each stream; its step is no work."""
        each = pace(plan.setup.model)
        streams = fmean(m.active for m in run.steady)
        offered = each * streams if each else math.inf
        return stack_of(run, caps, gap, cores=self.caps.cores, rate=rate, offered=offered)


def _carries(line: Line) -> float | None:
    """Bytes/s of the link; None where it has no limit, or nothing may pass at all."""
    return line.link.settings.rate or None if line.link else None


async def _once_running(line: Line, meanwhile: Meanwhile) -> None:
    while line.fleet is None:
        await asyncio.sleep(0.01)
    await meanwhile(line)
