"""The busy attention loop that `bench panel` runs inside a kernel, with and without the panel."""

from __future__ import annotations

import json
import time
from pathlib import Path

from constraintlab.attention import workspace
from constraintlab.attention.rung import Shape
from constraintlab.course.live import INTERIM, timeline
from constraintlab.limits.diagnose import diagnose
from constraintlab.limits.probe import capacities
from constraintlab.panel import Panel, RooflinePoint
from constraintlab.telemetry.host import HostSource
from constraintlab.telemetry.process import ProcessSource
from constraintlab.telemetry.sampler import Sampler
from constraintlab.telemetry.work import WorkCounter

SETTLE = 0.15
"""Seconds of work before each lap, with and without the panel alike."""


class Loop:
    """Attention calls under a panel like a lab's: same sources, 10 Hz, a verdict a second."""

    def __init__(self, tokens: int = 1024) -> None:
        from constraintlab.course.rungs import rung_stack

        self.shape = Shape.square(tokens, heads=4)
        self.inputs, self.kept = self.shape.inputs(), workspace.Workspace()
        self.caps = capacities()
        self.work = workspace.work(self.shape)
        stack = rung_stack(workspace.kernels(self.shape), self.shape, self.caps)
        self.verdict = diagnose(stack, self.caps)
        self.counter = WorkCounter()
        self.sampler = Sampler([HostSource(), ProcessSource(), self.counter])
        self.panel = Panel(lab="01", chips=("bench",), sampler=self.sampler)
        self.panel.set_timeline(timeline(self.caps, "float32", "cpu"))
        self.panel.set_roofline(
            [("float32", self.caps.compute["float32"].value)],
            self.caps.bandwidth.value,
            [RooflinePoint("workspace", self.work.intensity, 1e9)],
        )
        self.panel.set_verdict(self.verdict)
        self._told = time.perf_counter()

    def lap(self, seconds: float, shown: bool) -> float:
        """Calls per second over about `seconds`, after `SETTLE` that does not count.

        A panel that starts opens its sources and draws its first state, once a run; what counts
        here is what it costs at its 10 Hz from then on.
        """
        if shown:
            self.sampler.start()
        self._work(SETTLE, shown)
        rate = self._work(seconds, shown)
        if shown:
            self.sampler.stop()
        return rate

    def _work(self, seconds: float, shown: bool) -> float:
        calls, start = 0, time.perf_counter()
        while (now := time.perf_counter()) - start < seconds:
            with self.counter.busy(self.work, self.shape.queries):
                workspace.attend(*self.inputs, workspace=self.kept)
            calls += 1
            if shown and now - self._told > INTERIM:
                self.panel.set_verdict(self.verdict)
                self._told = now
        return calls / (time.perf_counter() - start)

    def pairs(self, n: int, seconds: float, report: str) -> None:
        """`n` pairs of laps, the order of each the reverse of the last; written to a file."""
        self.lap(seconds, True)
        ratios = []
        for i in range(n):
            order = (True, False) if i % 2 else (False, True)
            rates = {shown: self.lap(seconds, shown) for shown in order}
            ratios.append(rates[True] / rates[False])
        Path(report).write_text(json.dumps(ratios))
