"""Run a served, streamed workload under the live panel: lab 06's stage.

Server, link and clients have processes of their own, and a cell awaits the run in a thread: the
panel draws, and what a person moves acts at once.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from statistics import fmean

from constraintlab.course.calibrate import CEILINGS, Grounds
from constraintlab.course.clientview import lanes
from constraintlab.course.line import Line, Plan
from constraintlab.course.line_source import LineSource
from constraintlab.course.roof import Roof
from constraintlab.course.streamed import Moment, Passage, Streamed
from constraintlab.course.streamed_stack import stack_of
from constraintlab.course.told import Told, Undelivered
from constraintlab.engine.stub import pace
from constraintlab.engine.window import Between
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

INTERIM = 5
"""Looks from one verdict to the next while a run goes on: a second."""

FRESH = 5.0
"""Seconds for which the ceilings after one run are those before the next."""

KEPT = 2
"""Servers of a real model that are kept for plans to come: they take seconds to start."""

WARM = 2
"""Requests of a new server before anything counts."""

Meanwhile = Callable[[Line], Awaitable[object]]


class StreamingStage:
    """A panel over servers, one after the other; a plan that shares the last one finds it warm."""

    def __init__(self, lab, *chips: str) -> None:
        from constraintlab.panel import Panel, Series
        from constraintlab.telemetry.host import HostSource
        from constraintlab.telemetry.sampler import Sampler

        self.lab, self.source = lab, LineSource()
        self.line: Line | None = None
        """What runs now."""
        self.on_look: Callable[[Counters], object] = lambda counters: None
        """Called with each look at a run, from another thread."""
        self.caps = lab.capacities
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
        self._roof = Roof(self.panel)
        self._roof.draw(self.caps)
        self._grounds = Grounds(self.caps)
        self._kept: list[tuple[Plan, Server]] = []
        self._looks, self._most, self._now = 0, 0, self.caps

    async def stream(
        self, plan: Plan, workload: Workload, meanwhile: Meanwhile | None = None
    ) -> Told:
        """The workload along a line of this plan while the panel draws; Undelivered if no token
        came. meanwhile: awaited with the line once its clients run."""
        starting = asyncio.ensure_future(self._server(plan, workload))
        gap = await self._grounds.gap(plan.setup, starting)
        server = await starting
        self._now = await asyncio.to_thread(self._grounds.now, plan.setup, FRESH)
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
        after = await asyncio.to_thread(self._grounds.now, plan.setup)
        told = self._told(plan, ran, gap, midway(self._now, after, CEILINGS))
        self.panel.set_verdict(told.verdict)
        self.lab.measured(plan.name, told.verdict)
        self._roof.add(plan.name, ran.delivered.window, told.caps)
        return told

    def close(self) -> None:
        """End the servers, and let the panel rest on what it last showed."""
        for _, server in self._kept:
            server.close()
        self._kept.clear()
        self.panel.close()

    async def _server(self, plan: Plan, workload: Workload) -> Server:
        """One that a plan before had, changed if need be, or a new one, warmed up."""
        running = [(kept, server) for kept, server in self._kept if server.running]
        for kept, server in running:
            if kept.shares(plan):
                return server
        for kept, server in running:
            if kept.becomes(plan):
                # Who is still there after a run that was hung up on keeps its server as it is.
                with suppress(ValueError):
                    await asyncio.to_thread(server.change, plan.setup, plan.stream_interval)
                    self._kept[self._kept.index((kept, server))] = plan, server
                    return server
        stays = [k for k in self._kept if pace(k[0].setup.model) is None][-(KEPT - 1) :]
        for one in [k for k in self._kept if k not in stays]:
            self._kept.remove(one)
            await asyncio.to_thread(one[1].close)
        server = await asyncio.to_thread(lambda: Server(plan.setup, **plan.options))
        self._kept.append((plan, server))
        if pace(plan.setup.model) is None:
            line = Line(replace(plan, link=None, slow=0), server=server)
            await asyncio.to_thread(line.run, replace(workload, limit=WARM))
        return server

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
                self.panel.set_verdict(self._verdict(line, seen, gap))
        self.on_look(counters)

    def _verdict(self, line: Line, seen: Passage, gap: Between) -> Verdict:
        """On the last moments; the link as it is set now."""
        stack = self._stack(line.plan, seen, self._now, gap, _carries(line))
        rate = self.source.rate(seen)
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
