"""Run an engine under the live panel: lab 04's and 05's stage."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from constraintlab.course.engine_source import EngineSource
from constraintlab.course.engines import Window, dispatch, engine_stack, measured
from constraintlab.engine.process import Answer, EngineProcess
from constraintlab.engine.report import Report
from constraintlab.engine.request import Sampling
from constraintlab.engine.setup import Setup
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.diagnose import diagnose, needs
from constraintlab.limits.drift import around
from constraintlab.limits.resource import Resource
from constraintlab.limits.stack import Stack
from constraintlab.limits.verdict import Verdict

Asked = tuple[Sequence[int], Sampling]
CALIBRATION = 48
"""Tokens that one sequence writes alone, to see what lies between kernels."""


@dataclass(frozen=True)
class Served:
    """A workload served under the panel: its verdict and what it rests on."""

    verdict: Verdict
    stack: Stack
    caps: Capacities
    window: Window
    answers: tuple[Answer, ...]
    seconds: float

    @property
    def rate(self) -> float:
        """Output tokens a second, from the first submission to the last answer."""
        return sum(len(a.tokens) for a in self.answers) / self.seconds


class ServingStage:
    """A panel over engines that run in processes of their own, one after the other."""

    def __init__(self, lab, *chips: str) -> None:
        from constraintlab.panel import Panel, Series
        from constraintlab.telemetry.host import HostSource
        from constraintlab.telemetry.sampler import Sampler

        self.lab, self.source = lab, EngineSource()
        self.sampler = Sampler([HostSource(), self.source])
        caps = lab.capacities
        chips = (f"measured · this machine, {caps.cores:g} cores", *chips)
        self.panel = Panel(lab=lab.number, chips=chips, sampler=self.sampler)
        self.panel.set_strip(lab.strip())
        self.panel.set_timeline(
            [
                Series("engine.kv_reserved_share", "KV reserved", Resource.KV_CAPACITY, 1.0),
                Series("engine.kv_used_share", "KV in use", None, 1.0),
                Series("engine.forward_share", "in the forward pass", None, 1.0),
                Series("engine.bytes_per_s", "bandwidth", Resource.BANDWIDTH, caps.bandwidth.value),
            ]
        )

    def serve(self, setup: Setup, asked: Sequence[Asked], *, unit: str = "tok/s") -> Served:
        """Start an engine, submit everything at once, wait for the last answer.

        What lies between kernels is measured first, with one sequence on the same engine.
        """
        reports: list[Report] = []

        def hear(report: Report) -> None:
            reports.append(report)
            self.source.take(report)

        self.source.restart()
        with EngineProcess(setup, hear) as engine:
            alone = self._alone(engine, reports)
            self.sampler.start()

            def run(_caps):
                reports.clear()
                engine.ask()
                start = time.perf_counter()
                answers = engine.run(asked)
                seconds = time.perf_counter() - start
                self._settled(engine, reports, len(asked))
                return answers, seconds

            names = [n for n, _ in needs(engine_stack(alone, self.lab.capacities, 0.0))]
            (answers, seconds), caps = around(self.lab.capacities, names, run)
            self.sampler.stop()
        window = busiest(reports)
        stack = engine_stack(window, caps, dispatch(alone, caps))
        verdict = diagnose(stack, caps, measured=measured(_within(reports, window)), unit=unit)
        self.panel.set_verdict(verdict)
        return Served(verdict, stack, caps, window, tuple(answers), seconds)

    def close(self) -> None:
        """Stop the sampler and let the panel rest on what it last showed."""
        self.panel.close()

    def _alone(self, engine: EngineProcess, reports: list[Report]) -> Window:
        """One sequence by itself, after one that is not counted: kernels are compiled by then."""
        for _ in range(2):
            reports.clear()
            engine.ask()
            engine.run([([1, 2, 3], Sampling(CALIBRATION))])
            self._settled(engine, reports, 0)
        return Window(reports[0], reports[-1])

    def _settled(self, engine: EngineProcess, reports: list[Report], _n: int) -> None:
        """Wait for the report that comes when nothing runs any more."""
        end = time.perf_counter() + 5
        while not (reports and not reports[-1].running and not reports[-1].waiting
                   and reports[-1].totals["steps"] > reports[0].totals["steps"]):  # fmt: skip
            if time.perf_counter() > end:
                break
            time.sleep(0.005)


def busiest(reports: Sequence[Report]) -> Window:
    """The part of a run in which the queue never emptied; the whole run if it was never full."""
    full = [r for r in reports if r.waiting]
    if len(full) >= 3:
        return Window(full[0], full[-1])
    return Window(reports[0], reports[-1])


def _within(reports: Sequence[Report], window: Window) -> list[Report]:
    return [r for r in reports if window.first.now <= r.now <= window.last.now]
