"""Runs an engine in this process, and says where the time went: phases, device, host, verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from constraintlab.bench.ablation_story import Size
from constraintlab.engine.loop import Engine
from constraintlab.engine.meter import Meter
from constraintlab.engine.model import work
from constraintlab.engine.report import Report
from constraintlab.engine.request import Request, Sampling
from constraintlab.engine.roomy import CROWD, TOKENS, WARM, prompt, roomy
from constraintlab.engine.setup import Setup, build, load
from constraintlab.engine.step import Step
from constraintlab.engine.window import Between, Window, between, engine_stack
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.compose import step_costs
from constraintlab.limits.diagnose import diagnose
from constraintlab.limits.drift import around
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource
from constraintlab.limits.stack import Stack
from constraintlab.limits.verdict import Verdict

PROFILED = 64
"""Steps whose kernels are timed one by one; thousands would fill the memory with records."""


IDLE = 0.5
"""A host that waits for more of the time than this is not what limits."""


@dataclass(frozen=True)
class Phase:
    """Steps with a prompt, or without: seconds that their least work takes at the ceilings, and
    that they took."""

    limit: float
    took: float

    @property
    def share(self) -> float:
        """Of the limit; 0 where there were no such steps."""
        return self.limit / self.took if self.took else 0.0


@dataclass(frozen=True)
class Ran:
    """One run of one setup. walls: seconds of each step; passes: how forward passes ran."""

    window: Window
    verdict: Verdict
    prefill: Phase
    decode: Phase
    walls: Sequence[float]

    @property
    def rate(self) -> float:
        """Output tokens a second."""
        return self.window.rate


class Driven:
    """An engine and its meter. `drive` gives it requests."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.meter = engine, Meter(engine)

    def drive(
        self, asked: Iterable[Request], until: Callable[[], bool] = lambda: False
    ) -> tuple[Window, list[Step]]:
        """What it did until these requests, all submitted at once, and those before have ended, or
        until that is true; and its steps."""
        first, steps = self.meter.report(), []
        last = time.monotonic()
        for request in asked:
            request.arrival = last
            why = self.engine.submit(request)
            assert not why, why
            self.meter.submitted(request)
        while self.engine.busy and not until():
            step = self.engine.step()
            now = time.monotonic()
            self.meter.stepped(step, now - last, now)
            last = now
            steps.append(step)
        return Window(first, self.meter.report()), steps


class Bed:
    """A model on a device, loaded once, and what verdicts on it rest on."""

    def __init__(self, size: Size, device: str, caps: Capacities) -> None:
        self.size, self.device, self.caps = size, device, caps
        self.loaded = load(size.model, size.dtype, where=device)
        self._gaps: dict[tuple, Between] = {}

    @property
    def ceilings(self) -> tuple[str, ...]:
        """What a verdict rests on, by dotted names."""
        names = (f"compute.{self.loaded[0].dtype}", "compute.exp", "bandwidth")
        return (*names, "pages") if self.device == "cpu" else names

    def run(self, setup: Setup) -> Ran:
        """An engine of its own, warmed up; ceilings probed before and after."""
        gap, driven = self.gap(setup), Driven(build(setup, self.loaded))
        driven.drive(self.size.asked(WARM))
        (window, steps), caps = around(
            self.caps, self.ceilings, lambda _: driven.drive(self.size.asked()), self.device
        )
        stack = engine_stack(window, caps, gap)
        verdict = diagnose(stack, caps, measured=Estimate.of([window.rate], "tok/s"))
        verdict = doubted(verdict, window)
        phases = (
            self._phase([s for s in steps if bool(s.chunks) == p], caps) for p in (True, False)
        )
        return Ran(window, verdict, *phases, [sum(s.seconds) for s in steps])

    def gap(self, setup: Setup) -> Between:
        """What lies between this setup's kernels, measured once for each kind of them."""
        key = str(setup.attention), setup.graphs
        if key not in self._gaps:
            engine = Driven(build(roomy(setup), self.loaded))
            self._pair(engine, CROWD, WARM)
            _, alone = self._pair(engine, 1, TOKENS)
            prompts, crowd = self._pair(engine, CROWD, TOKENS)
            self._gaps[key] = between(alone, crowd, prompts, self.caps)
        return self._gaps[key]

    def kernel_share(self, setup: Setup, ran: Ran) -> float:
        """Share of the first steps' time that the device was inside a kernel or a copy (a CPU:
        inside torch's operations): their own time, from a run in which each is recorded, over that
        of the same steps in `ran`, for recording slows the host down. RuntimeError where this
        machine records none."""
        from torch.profiler import ProfilerActivity, profile

        driven = Driven(build(setup, self.loaded))
        driven.drive(self.size.asked(WARM))
        steps = min(PROFILED, len(ran.walls))
        left = iter(range(steps))
        with profile(activities=[getattr(ProfilerActivity, self.device.upper())]) as seen:
            driven.drive(self.size.asked(), lambda: next(left, None) is None)
        spans = [
            (e.time_range.start / 1e6, e.time_range.end / 1e6)
            for e in seen.events()
            if e.device_type.name == self.device.upper()
            and not getattr(e, "is_user_annotation", False)
        ]
        if not spans:
            raise RuntimeError("torch's profiler recorded no kernel here: CUPTI may not be allowed")
        return covered(spans) / sum(ran.walls[:steps])

    def _pair(self, driven: Driven, n: int, tokens: int) -> tuple[Window, Window]:
        """n sequences at once: (while their prompts are computed, while all of them decode)."""
        asked = [Request(i, prompt(), Sampling(tokens)) for i in range(n)]
        prompts, _ = driven.drive(asked, lambda: all(r.output for r in asked))
        decodes, _ = driven.drive(())
        return prompts, decodes

    def _phase(self, steps: Sequence[Step], caps: Capacities) -> Phase:
        limit = sum(self._least(s, caps) for s in steps)
        return Phase(limit, sum(sum(s.seconds) for s in steps))

    def _least(self, step: Step, caps: Capacities) -> float:
        """Seconds of the least work that a step's tokens ask for, whatever rung does it."""
        new = [n for n, _ in step.chunks] + [1] * step.decodes
        keys = [n + past for n, past in step.chunks]
        keys += [step.keys // max(1, step.decodes)] * step.decodes
        kernels = work.kernels(self.loaded[0], new, keys, len(step.emitted))
        costs = step_costs(Stack(kernels, population=len(new)), caps)
        return sum(c.at(len(new)) for c in costs)


def doubted(verdict: Verdict, window: Window) -> Verdict:
    """The verdict, in doubt where it is the host and the host mostly waited: what no counted kernel
    explains is charged to it, also where the device's own kernels are slow."""
    if Resource.HOST not in verdict.constraint or window.wait <= IDLE:
        return verdict
    why = (
        f"the host did nothing but wait for {window.wait:.0%} of the time: what lies between the "
        "ceilings and the measurement is the device's, in kernels that reach none"
    )
    return replace(verdict, doubts=(*verdict.doubts, why))


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Length of what these intervals cover together: kernels may overlap."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def passes(report: Report) -> str:
    """How forward passes ran, in words; '' on a CPU."""
    return ", ".join(f"{n} {how}" for how, n in sorted(report.passes.items(), key=lambda p: -p[1]))
