"""Draw the cards of the transfer test: `python .ci/transfer.py`, half an hour on a quiet core.

Scenarios are drawn from a seed until there are enough that leave no doubt: by perturbation on the
virtual clock one capacity has by far the largest share, and without it another one has. The
course's own verdict must name the same two from the counters alone, so that what a card shows does
decide it. Two forms get the same constraints, in different orders.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from constraintlab.course.judge import Seen, judge
from constraintlab.course.scenario_stack import capacities, stack_of
from constraintlab.course.transfer_card import figures
from constraintlab.limits.diagnose import diagnose
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.shares import shares as shares_of
from constraintlab.limits.stack import scale
from constraintlab.scenarios.draw import draw
from constraintlab.scenarios.perturb import Perturbed
from constraintlab.scenarios.run import run
from constraintlab.scenarios.scenario import Scenario

OUT = Path(__file__).parents[1] / "lib" / "constraintlab" / "course" / "transfer.json"
SEED, DRAWN, WORKLOADS = 2024, 900, range(3)
MARGIN = 0.3
"""By which the largest share must exceed the second: nobody should have to guess between two."""

WORTH = 1.25
"""What the fix of a constraint must give at least: else the next stands right behind it."""

FORMS = ("before", "after")
KINDS = ("compute", "kv_capacity", "slots", "host", "network", "client", "demand", "bandwidth")
CARDS = 6


def clear(shares: dict) -> bool:
    """Whether one share is far ahead of all others."""
    first, second, *_ = sorted((*shares.values(), 0.0, 0.0), reverse=True)
    return first - second >= MARGIN


def likely(scenario: Scenario) -> bool:
    """By one run and the model alone, which takes a tenth of the time that perturbing does."""
    ran = run(scenario, 0)
    stack, caps = stack_of(scenario, ran.counts), capacities(scenario)
    measured = Estimate(ran.x, ran.x, ran.x, "tok/s", "modelled")
    verdict = diagnose(stack, caps, measured=measured)
    if not (verdict.sure and len(verdict.constraint) == len(verdict.next) == 1):
        return False
    first = verdict.constraint[0]
    after = scale(stack, caps, first, math.inf)
    return (
        clear(verdict.shares) and clear(shares_of(*after)) and verdict.worth[first] >= WORTH
        and first is not verdict.next[0]
    )  # fmt: skip


def certain(seen: Seen) -> bool:
    """By perturbation, which owes nothing to the model; and the model says the same."""
    if seen.after is None or len(seen.names) != 1 or len(seen.verdict.next) != 1:
        return False
    same = seen.truth.largest == seen.names[0] and seen.after.largest == seen.verdict.next[0].value
    return same and all(clear(means(p)) for p in (seen.truth, seen.after))


def means(perturbed: Perturbed) -> dict[str, float]:
    """Shares, over the seeds."""
    return {name: perturbed.share(name).value for name in perturbed.shares}


def found() -> Iterator[dict]:
    """Every scenario that will do, as a card's data."""
    for number in range(DRAWN):
        scenario = draw(SEED, number)
        if not likely(scenario):
            continue
        seen = judge(scenario, WORKLOADS)
        if certain(seen):
            base = seen.truth.base[0]
            yield {
                "seed": SEED, "number": number,
                "constraint": seen.truth.largest, "next": seen.after.largest,
                "shares": {k: round(v, 3) for k, v in means(seen.truth).items()},
                "then": {k: round(v, 3) for k, v in means(seen.after).items()},
                "scenario": asdict(scenario),
                "figures": figures(scenario, base),
            }  # fmt: skip
