"""How sure a predicted gain is: what was measured has a spread, what was left out has none.

*Spread.* Every capacity that the stack needs, and every size of the fix, is drawn from the triangle
over its low, value and high, each by itself; the stack before and after is worked out with the
same draw, since both would run on the same machine. The interval is the middle 90% of the ratios,
of a hundred draws with a fixed seed: the same question has the same answer. Corners (all lows, all
highs) would say what happens if everything is off at once, take 2^n of them, and still miss the
extremes where one side of a kernel overtakes the other in between.

*Left out.* Where the verdict predicts another throughput than was measured, some seconds of a token
are not in the model, or too many are. They shrink with the fix in proportion (the point assumes
that) or stay as they are, so the ratio of those two answers is added on either side. A fix that
changes nothing is sure to change nothing.

*The model itself.* Where throughput is predicted right, it may still bend otherwise than the model
says. How far gains are off because of that was seen on the virtual clock, as a part of ln gain.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from random import Random

from constraintlab.limits.capacities import Capacities
from constraintlab.limits.compose import throughput
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.fixes import Fix
from constraintlab.limits.stack import Stack
from constraintlab.limits.verdict import Verdict
from constraintlab.limits.worth import ratio

DRAWS, SEED, TAIL = 100, 7, 0.05

MODEL = 0.15
"""By what part of ln gain the model itself may be off. Intervals that are that much wider held 85%
of the speed-ups of 100 scenarios on the virtual clock (seeds 102 to 106), and 19% without."""


def spread(stack: Stack, caps: Capacities, fix: Fix, draws: int = DRAWS) -> tuple[float, float]:
    """The middle 90% of the gains that the spreads of capacities and sizes allow, in ×."""
    if not any(_wide(e) for e in (*fix.sizes, *(e for _, e in caps.rates()))):
        draws = 1
    random = Random(SEED)
    found = []
    for _ in range(draws):
        kept: dict[Estimate, float] = {}

        def pick(e: Estimate, kept: dict[Estimate, float] = kept) -> float:
            # Equal sizes of one fix are one size.
            if e not in kept:
                kept[e] = _triangle(random, e)
            return kept[e]

        drawn = _drawn(caps, lambda e: _triangle(random, e))
        after = throughput(*fix.apply(stack, drawn, pick))
        found.append(ratio(after, throughput(stack, drawn)))
    found.sort()
    out = int(TAIL * draws)
    return found[out], found[-1 - out]


def left_out(gain: float, verdict: Verdict) -> float:
    """The factor ≥ 1 by which a gain is off if what the model leaves out stays as it is.

    What is left with the fix is at least half of what the model says, or of what was seen: an error
    that takes more away than that is none, but another stack.
    """
    if verdict.disagreement is None or not math.isfinite(gain) or not gain:
        return 1.0
    if not verdict.measured.value:
        return 1.0
    model, seen = 1 / verdict.predicted, 1 / verdict.measured.value
    after = model / gain
    stays = seen / max(after + seen - model, min(after, seen) / 2)
    return 1.0 if math.isclose(stays, gain) else max(stays / gain, gain / stays)


def itself(gain: float) -> float:
    """The factor ≥ 1 by which a gain may be off though throughput is predicted right."""
    if not math.isfinite(gain) or not gain:
        return 1.0
    return max(gain, 1 / gain) ** MODEL


def _wide(e: Estimate) -> bool:
    return e.low < e.high < math.inf


def _triangle(random: Random, e: Estimate) -> float:
    return random.triangular(e.low, e.high, e.value) if _wide(e) else e.value


def _drawn(caps: Capacities, pick: Callable[[Estimate], float]) -> Capacities:
    """A machine that the spreads of this one allow."""

    def one(e: Estimate) -> Estimate:
        if not _wide(e):
            return e
        x = pick(e)
        return replace(e, low=x, value=x, high=x)

    compute = {unit: one(e) for unit, e in caps.compute.items()}
    return replace(caps, compute=compute, bandwidth=one(caps.bandwidth), pages=one(caps.pages))
