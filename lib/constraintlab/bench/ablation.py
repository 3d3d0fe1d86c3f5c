"""`bench ablation`: the engine's rungs, each switched on in turn: its worth, and what binds then.

The engine alone, in this process: no server, no panel, so it runs on a machine that has neither.
`bench migration` tells the same story of the whole path, with its front end, link and readers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from constraintlab.bench.ablation_bed import PROFILED, Bed, Ran, passes
from constraintlab.bench.ablation_story import SIZES, Rung, setups
from constraintlab.bench.interval import median_of
from constraintlab.bench.report import Report
from constraintlab.bench.telling import NOTHING, names, usual, way
from constraintlab.engine.device import resolve
from constraintlab.engine.setup import Setup

Say = Callable[[str], object]


def run(rounds: int = 3, device: str = "auto", say: Say = lambda _: None) -> Report:
    """Every metric: about two minutes on two cores."""
    from constraintlab.limits import probe
    from constraintlab.limits.machine import describe

    device = resolve(device)
    report, caps = Report("ablation", describe(device)), probe.capacities(device, say=say)
    bed = Bed(SIZES[device], device, caps)
    told = _possible(report, bed, say)
    runs: dict[str, list[Ran]] = {rung.name: [] for rung, _ in told}
    for _ in range(rounds):
        for rung, setup in told:
            ran = bed.run(setup)
            runs[rung.name].append(ran)
            say(f"  {rung.name:<9} {ran.rate:8.0f} tok/s  {names(ran.verdict)}")
    _tell(report, bed, told, runs)
    return report


def _possible(report: Report, bed: Bed, say: Say) -> list[tuple[Rung, Setup]]:
    """The rungs that run here; why the others don't is in the report."""
    found = []
    for rung, setup in setups(bed.size, bed.device):
        if rung.gpu and bed.device == "cpu":
            report.skip(f"x_after_{rung.name}", f"no NVIDIA GPU here: {rung.about}")
            continue
        say(f"what lies between kernels: {rung.name} …")
        try:
            bed.gap(setup)
        except ValueError as error:  # a rung that has no backend for this machine
            report.skip(f"x_after_{rung.name}", str(error))
            continue
        found.append((rung, setup))
    return found


def _tell(report: Report, bed: Bed, told, runs: dict[str, list[Ran]]) -> None:
    before: list[Ran] = []
    for rung, setup in told:
        some = runs[rung.name]
        gains = [b.rate / a.rate for a, b in zip(before, some, strict=True)] if before else []
        report.add(
            f"x_after_{rung.name}", median_of([r.rate for r in some], "tok/s"),
            context(rung, some, gains),
        )  # fmt: skip
        for phase in ("prefill", "decode"):
            report.add(
                f"{phase}_of_limit_{rung.name}",
                median_of([getattr(r, phase).share for r in some], ""),
                f"of {'steps with a prompt' if phase == 'prefill' else 'all other steps'}: what "
                "their least work takes at the ceilings probed around the run, over what they took",
            )  # fmt: skip
        _device(report, bed, rung, setup, some)
        before = some
    if not told:
        return
    found = [usual([r.verdict for r in runs[rung.name]]) for rung, _ in told]
    report.add(
        "distinct_constraints", median_of([float(len(set(found)))], ""), " → ".join(way(found))
    )
    first, last = (runs[told[i][0].name] for i in (0, -1))
    whole = [b.rate / a.rate for a, b in zip(first, last, strict=True)]
    report.add("end_to_end_speedup", median_of(whole, "×"), "the product of all gains")


def _device(report: Report, bed: Bed, rung: Rung, setup: Setup, some: Sequence[Ran]) -> None:
    """How busy the device was, and how long the host did nothing but wait for it."""
    busy, wait = f"device_busy_{rung.name}", f"host_wait_{rung.name}"
    if bed.device == "cpu":
        shares = median_of([r.window.busy for r in some], "")
        report.add(busy, shares, "of the time, inside the forward pass")
        return
    spans = [r.window.busy for r in some]
    report.add(
        f"device_span_{rung.name}", median_of(spans, ""),
        "of the time, from a step's first copy to its last by the device's events: gaps between "
        "its kernels are in it",
    )  # fmt: skip
    report.add(wait, median_of([r.window.wait for r in some], ""), "of the time")
    try:
        shares = [bed.kernel_share(setup, r) for r in some[:1]]
    except RuntimeError as error:
        report.skip(busy, str(error))
        return
    report.add(busy, median_of(shares, ""), f"of the first {PROFILED} steps, inside kernels")


def context(rung: Rung, some: Sequence[Ran], gains: Sequence[float]) -> str:
    """What stands beside a rung's rate."""
    parts = []
    if gains:
        nothing = ", which is nothing on this machine" * (abs(median(gains) - 1) < NOTHING)
        parts.append(f"×{median(gains):.2f} ({min(gains):.2f}–{max(gains):.2f}){nothing}")
    parts += [rung.about, f"verdict: {', '.join(names(r.verdict) for r in some)}"]
    off = [r.verdict.predicted / r.rate - 1 for r in some if r.verdict.predicted]
    if off:
        parts.append(f"predicted {median(off):+.0%} off the measured rate")
    batch = median([r.window.batch for r in some])
    parts.append(f"{batch:.1f} sequences a step")
    parts += dict.fromkeys(d for r in some for d in r.verdict.doubts)
    how = passes(some[-1].window.last)
    return "; ".join([*parts, how] if how else parts)
