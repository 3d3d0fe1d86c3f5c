"""Our own server, attached to: its /metrics count its work, so a verdict's shares can be computed.

As lab 06 composes a run that it made itself, with two differences. Nobody calibrated this engine:
what its kernels don't explain of the forward pass is charged to each step as dispatch, so the
engine's own time is fitted and not predicted. And how many threads it has is seen from the cores
that it spends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from constraintlab.course.scraped import NotOurs
from constraintlab.course.streamed import Moment, Passage, Spent
from constraintlab.course.streamed_stack import FEW, stack_of
from constraintlab.engine.window import Between, Window, kernels
from constraintlab.limits import probe
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.compose import step_costs
from constraintlab.limits.diagnose import diagnose
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.stack import Stack
from constraintlab.limits.verdict import Verdict
from constraintlab.telemetry.exposition import Scrape

SOURCES = {"dispatch": "modelled: what the kernels don't explain of the forward pass"}


def counted(scrapes: Sequence[Scrape], caps: Capacities | None = None) -> Verdict | None:
    """The composed verdict on the time between the first and the last of these scrapes.

    caps: of the machine that the server runs on; as it was probed once, unless given. None where
    there is nothing to compose: no probe, another server, a restart in between, an idle engine.
    """
    caps = caps or probe.load("cpu")
    if caps is None or len(scrapes) < 2:
        return None
    moments = tuple(Moment(s) for s in scrapes)
    try:
        run = Passage("attached", moments, 0.0, Spent())
        done = run.delivered
    except NotOurs:
        return None
    window = done.window
    names = ("steps", "tokens", "counted_steps", "forward", "cpu", "sequences")
    if window.grown("steps") < FEW or min(map(window.grown, names)) <= 0 or done.tokens <= 0:
        return None
    threads = _threads(window, caps.cores)
    mine = caps.scaled(compute=threads / caps.cores, bandwidth=threads / caps.cores)
    run = Passage("attached", moments, run.all.tokens, Spent(), round(threads))
    waits = fmean(m.waiting > 0 for m in run.steady) >= 0.5
    stack = stack_of(
        run, mine, _gap(window, mine), cores=caps.cores,
        offered=math.inf if waits else window.rate,
    )  # fmt: skip
    rate = Estimate(window.rate, window.rate, window.rate, "tok/s")
    return diagnose(stack, mine, measured=rate, sources=SOURCES)


def _threads(window: Window, cores: float) -> float:
    """Cores that the engine spends while it works, at least one."""
    busy = sum(window.grown(n) for n in ("forward", "schedule", "draw", "emit"))
    return min(cores, max(1.0, window.grown("cpu") / busy)) if busy else 1.0


def _gap(window: Window, caps: Capacities) -> Between:
    """Seconds of an average step that its kernels should not have taken."""
    stack = Stack(kernels(window), population=window.batch)
    expected = sum(c.at(window.batch) for c in step_costs(stack, caps))
    seen = window.grown("forward") / window.grown("steps")
    return Between(fixed=max(0.0, seen - expected))
