"""`bench migration`: one workload end to end, each fix switched on in turn: what binds then?"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from constraintlab.bench.interval import median_of
from constraintlab.bench.report import Report
from constraintlab.bench.story import CHAPTERS, MODEL, REQUESTS, Chapter, Flags, chapters, workload
from constraintlab.bench.telling import NOTHING, names, usual, way
from constraintlab.course.calibrate import Grounds, probed
from constraintlab.course.line import Line
from constraintlab.course.streamed import Streamed
from constraintlab.course.streamed_stack import stack_of
from constraintlab.engine.window import Between
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.diagnose import diagnose
from constraintlab.limits.drift import midway
from constraintlab.limits.verdict import Verdict
from constraintlab.load import preflight
from constraintlab.load.target import Target

Say = Callable[[str], object]

CEILINGS = ("compute.float32", "compute.exp", "bandwidth", "pages")
WARM = 3
"""Requests of a new server before anything counts."""


@dataclass(frozen=True)
class Ran:
    """One run of one stage: its rate by the clients' clock, and what the server said it was."""

    streamed: Streamed
    verdict: Verdict

    @property
    def rate(self) -> float:
        return self.streamed.whole_rate


class Bench:
    """Runs stages. gap: what lies between the engine's kernels, measured once."""

    def __init__(self, requests: int, caps: Capacities, gap: Between) -> None:
        self.requests, self.caps, self.gap = requests, caps, gap

    def run(self, name: str, flags: Flags) -> Ran:
        """A server of its own, warmed up; ceilings probed before and after."""
        plan = flags.plan(name)
        with Line(plan) as line:
            text = asyncio.run(preflight.text(Target(line.server.url, MODEL)))
            line.run(workload(text, WARM))
            before = probed(self.caps, list(CEILINGS), plan.setup)
            streamed = line.run(workload(text, self.requests))
            caps = midway(before, probed(self.caps, list(CEILINGS), plan.setup), CEILINGS)
        ok = streamed.report.statuses["ok"]
        assert ok == self.requests, f"{name}: {ok} of {self.requests} answers came whole"
        stack = stack_of(streamed, caps, self.gap, cores=self.caps.cores, rate=flags.link)
        return Ran(streamed, diagnose(stack, caps, measured=streamed.rate))


def measure(bench: Bench, rounds: int, decoys: int, say: Say) -> tuple[list, list]:
    """Runs of every stage and of every decoy: (stage → its run of each round, the same)."""
    told = chapters()
    runs: list[list[Ran]] = [[] for _ in told]
    others: list[list[Ran]] = [[] for _ in told]
    for r in range(rounds):
        for i, (chapter, flags, decoy) in enumerate(told):
            runs[i].append(bench.run(chapter.name, flags))
            last = runs[i][-1]
            say(f"  {chapter.name:<10} {last.rate:6.0f} tok/s  {names(last.verdict)}")
            if r < decoys:
                others[i].append(bench.run(chapter.decoy_name, decoy))
                gain = others[i][-1].rate / last.rate
                say(f"    decoy: {chapter.decoy_name} ×{gain:.2f}")
    return runs, others


def run(
    rounds: int = 3, decoys: int = 2, requests: int = REQUESTS, say: Say = lambda _: None
) -> Report:
    """Every metric, in about seven minutes."""
    from constraintlab.limits import probe
    from constraintlab.limits.machine import describe

    report, caps = Report("migration", describe()), probe.capacities("cpu", say=say)
    say("what lies between the engine's kernels …")
    gap = asyncio.run(Grounds(caps).gap(Flags(rung="flash").plan("").setup))
    runs, others = measure(Bench(requests, caps, gap), rounds, decoys, say)
    found = [usual([r.verdict for r in some]) for some in runs]
    for i, chapter in enumerate(CHAPTERS):
        before = runs[i - 1] if i else runs[i]
        gains = [b.rate / a.rate for a, b in zip(before, runs[i], strict=True)]
        report.add(f"x_after_{chapter.name}", median_of([r.rate for r in runs[i]], "tok/s"),
                   _context(chapter, runs[i], gains if i else None))  # fmt: skip
    report.add("distinct_constraints", median_of([float(len(set(found)))], ""),
               " → ".join(way(found)))  # fmt: skip
    whole = [last.rate / first.rate for first, last in zip(runs[0], runs[-1], strict=True)]
    report.add("end_to_end_speedup", median_of(whole, "×"), "the product of all gains")
    worst = 0.0
    for chapter, some, beside in zip(CHAPTERS, runs, others, strict=True):
        gains = [d.rate / r.rate for r, d in zip(some, beside, strict=False)]
        if gains:
            report.add(f"decoy_at_{chapter.name}", median_of(gains, "×"), chapter.decoy_name)
            worst = max(worst, median(gains))
    if worst:
        report.add("decoy_worst_gain", median_of([worst], "×"), "the largest of those")
    return report


def _context(chapter: Chapter, some: Sequence[Ran], gains: Sequence[float] | None) -> str:
    verdicts = ", ".join(names(r.verdict) for r in some)
    off = [r.verdict.predicted / r.streamed.rate.value - 1 for r in some if r.verdict.predicted]
    parts = [f"verdict: {verdicts}"]
    if gains:
        low, high = min(gains), max(gains)
        nothing = ", which is nothing on this machine" * (abs(median(gains) - 1) < NOTHING)
        parts.insert(0, f"×{median(gains):.2f} ({low:.2f}–{high:.2f}){nothing}")
    if off and math.isfinite(off[0]):
        parts.append(f"predicted {median(off):+.0%} off the measured steady rate")
    return "; ".join(parts)
