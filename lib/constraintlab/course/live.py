"""Run something under the live panel: it draws while the cell is busy, and ends in a verdict."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from constraintlab.limits.capacities import Capacities
from constraintlab.limits.diagnose import diagnose, needs
from constraintlab.limits.drift import around
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource
from constraintlab.limits.stack import Stack
from constraintlab.limits.verdict import Verdict
from constraintlab.limits.work import Work

INTERIM = 1.0
"""Seconds between two verdicts while a run goes on."""


@dataclass(frozen=True)
class Run:
    """One run under the panel: its verdict, the ceilings around it, what it spent and held busy.

    `busy` is the share of the cores' time (on a GPU: of the time a kernel was resident).
    """

    verdict: Verdict
    caps: Capacities
    seconds: float
    busy: float
    work: Work

    @property
    def flops(self) -> float:
        """FLOP/s achieved, counted over measured time."""
        return self.work.flops / self.seconds

    def peak_share(self, unit: str = "float32", useful: float | None = None) -> float:
        """FLOP/s achieved ÷ the peak probed around the run; `useful` counts other FLOPs."""
        flops = self.work.flops if useful is None else useful
        return flops / self.seconds / self.caps.compute[unit].value


class Stage:
    """A panel with its sampler and work counter, and the points its roofline has so far."""

    def __init__(self, lab, *chips: str) -> None:
        from constraintlab.panel import Panel
        from constraintlab.telemetry.host import HostSource
        from constraintlab.telemetry.process import ProcessSource
        from constraintlab.telemetry.sampler import Sampler
        from constraintlab.telemetry.work import WorkCounter

        self.lab, self.counter, self._points = lab, WorkCounter(), []
        sources = [HostSource(), ProcessSource(), self.counter]
        if lab.device == "cuda":
            from constraintlab.telemetry.nvml import NvmlSource
            from constraintlab.telemetry.torch_memory import TorchMemory

            sources += [NvmlSource(), TorchMemory()]
        self.sampler = Sampler(sources)
        caps = lab.capacities
        where = "GPU" if lab.device == "cuda" else f"{caps.cores:g} cores"
        chips = (f"measured · this machine, {where}", *chips)
        self.panel = Panel(lab=lab.number, chips=chips, sampler=self.sampler)
        self.panel.set_strip(lab.strip())
        self._roofline(caps, ("float32",))
        self.panel.set_timeline(timeline(caps, "float32", lab.device))

    def _roofline(self, caps: Capacities, units) -> None:
        shown = [(u, caps.compute[u].value) for u in units if not caps.compute[u].missing]
        self.panel.set_roofline(ceilings=shown, bandwidth=caps.bandwidth.value, points=self._points)

    def run(
        self,
        name: str,
        call: Callable[[], object],
        stack: Stack,
        work: Work,
        *,
        seconds: float,
        unit: str = "float32",
        rate: str = "tok/s",
    ) -> Run:
        """Call it again and again for `seconds` (three times at least) while the panel draws.

        stack, work: what one call asks for, as the verdict and the roofline count it. unit:
        the dtype whose ceiling the roofline shows. rate: what throughput counts.
        """
        lab, panel = self.lab, self.panel
        panel.set_timeline(timeline(lab.capacities, unit, lab.device))
        call()
        lab.wait()

        def verdict(caps, laps):
            speeds = [stack.tokens / s for s in laps]
            return diagnose(stack, caps, measured=Estimate.of(speeds, rate), unit=rate)

        def loop(now):
            laps, shown = [], time.perf_counter()
            self.counter.restart()
            self.sampler.start()
            spent, start = time.process_time(), time.perf_counter()
            while len(laps) < 3 or time.perf_counter() - start < seconds:
                with self.counter.busy(work, stack.tokens):
                    before = time.perf_counter()
                    call()
                    lab.wait()
                    laps.append(time.perf_counter() - before)
                if time.perf_counter() - shown > INTERIM:
                    panel.set_verdict(verdict(now, laps))
                    shown = time.perf_counter()
            whole = time.perf_counter() - start
            busy = (time.process_time() - spent) / whole / lab.capacities.cores
            busy = self._resident() if lab.device == "cuda" else busy
            self.sampler.stop()
            return laps, busy

        names = [n for n, _ in needs(stack)]
        (laps, busy), caps = around(lab.capacities, names, loop, lab.device)
        end = verdict(caps, laps)
        panel.set_verdict(end)
        lab.measured(name, end)
        self._point(name, work, median(laps))
        self._roofline(caps, (unit,))
        return Run(end, caps, median(laps), min(1.0, busy), work)

    def close(self) -> None:
        """Stop the sampler and let the panel rest on what it last showed."""
        self.panel.close()

    def _resident(self) -> float:
        """Kernel resident as NVML last said, as a share; NaN when it can't say."""
        latest = self.sampler.latest
        value = latest.values.get("gpu.kernel_resident") if latest else None
        return float("nan") if value is None else value / 100

    def _point(self, name: str, work: Work, seconds: float) -> None:
        from dataclasses import replace

        from constraintlab.panel import RooflinePoint

        ghosts = [replace(p, ghost=True) for p in self._points if p.name != name]
        self._points = [*ghosts, RooflinePoint(name, work.intensity, work.flops / seconds)]


def timeline(caps: Capacities, unit: str, device: str) -> list:
    """The lines of the timeline: each resource as a share of its ceiling, and how busy it looks."""
    from constraintlab.panel import Series

    lines = [
        Series("work.flops_per_s", f"compute, {unit}", Resource.COMPUTE, caps.compute[unit].value),
        Series("work.bytes_per_s", "bandwidth", Resource.BANDWIDTH, caps.bandwidth.value),
    ]
    if device == "cuda":
        return [*lines, Series("gpu.kernel_resident", "kernel resident", None, 100.0)]
    if not caps.pages.missing:
        lines.append(
            Series("work.fresh_bytes_per_s", "fresh pages", Resource.PAGES, caps.pages.value)
        )
    return [*lines, Series("proc.cpu_cores", "cores busy", None, caps.cores)]
