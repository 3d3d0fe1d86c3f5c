"""The real part of `bench diagnose`: scenarios judged on a real stack with a simulated device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from statistics import median

from constraintlab.course.judge import REAL, Seen, judge
from constraintlab.scenarios.real.bed import Bed
from constraintlab.scenarios.real.draw import draw

SEEDS = range(2)
"""Of each scenario's workload."""

CUT, LEAST = 0.25, 0.15
"""Deeper than on the virtual clock, and what is small is looked at once: a run repeats within some
percent here, not exactly."""


def judged(bed: Bed, seed: int, scenarios: int, whole: bool) -> Iterator[Seen]:
    """Each scenario in its turn; whole: also what binds next, and what the fix is worth."""
    held = partial(judge, run=bed.run, cut=CUT, least=LEAST, whole=whole, source=REAL)
    for number in range(scenarios):
        yield held(draw(seed, number, bed.own), SEEDS)


def context(bed: Bed, seed: int, seen: Sequence[Seen], whole: bool) -> str:
    """What stands beside the share of those that were right."""
    n, own = len(seen), bed.own
    truths = ", ".join(f"{k} {v}" for k, v in Counter(s.truth.largest for s in seen).most_common())
    off = [s.verdict.disagreement for s in seen if s.verdict.disagreement is not None]
    told = (
        f"{n} scenarios of seed {seed} on a real stack: engine, front end, link and readers as "
        f"they are, the device's time simulated; {len(SEEDS)} workloads each, cuts of {CUT:.0%}; "
        f"truths: {truths}; {sum(s.confident_wrong for s in seen)} wrong though sure; "
        f"{sum(s.strict for s in seen)} with every name within the largest's interval; throughput "
        f"predicted {median(off):.1%} off (median); the stack by itself takes "
        f"{1e3 * own.schedule:.1f} ms a step, {1e6 * own.sample:.0f} µs a sequence and "
        f"{1e6 * own.frame:.0f} µs a token"
    )
    if whole:
        errors = [s.error for s in seen if s.names]
        told += (
            f"; next right in {sum(s.next_right for s in seen)} of {n}; the fix's speed-up "
            f"{median(errors):.1%} off (median)"
        )
    return told
