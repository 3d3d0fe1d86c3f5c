"""Draw the cards of the transfer test: `python .ci/transfer.py` writes them, in some minutes.

`python .ci/transfer.py search` draws scenarios and names those that leave no doubt: by perturbation
on the virtual clock one capacity has by far the largest share, and without it another one has; and
the course's own verdict names the same two from the counters alone. Which of them a learner can
tell from what a card shows was then judged by reading them: those are in CHOSEN, two of a kind.
"""

from __future__ import annotations

import json
import math
import sys
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
SEED, DRAWN, WORKLOADS = 2024, 300, range(3)
MARGIN = 0.3
"""By which the largest share must exceed the second: nobody should have to guess between two."""

WORTH = 1.25
"""What the fix of a constraint must give at least: else the next stands right behind it."""

CHOSEN = {"before": (22, 255, 17, 37, 117, 11), "after": (190, 126, 228, 95, 242, 157)}
"""Numbers of scenarios. Both forms have the same pairs of constraint and next, in another order."""


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


def search() -> None:
    """Name every scenario that would do."""
    for number in range(DRAWN):
        scenario = draw(SEED, number)
        if likely(scenario):
            seen = judge(scenario, WORKLOADS)
            if certain(seen):
                print(number, seen.truth.largest, "→", seen.after.largest, flush=True)


def card(number: int) -> dict:
    """A card's data. Raises ValueError for a scenario that leaves a doubt."""
    seen = judge(draw(SEED, number), WORKLOADS)
    if not certain(seen):
        raise ValueError(f"scenario {SEED}/{number} is in doubt: {seen.names}, {seen.truth.shares}")
    print(number, seen.truth.largest, "→", seen.after.largest, flush=True)
    return {
        "seed": SEED, "number": number, "workloads": list(WORKLOADS),
        "constraint": seen.truth.largest, "next": seen.after.largest,
        "shares": {name: round(share, 3) for name, share in means(seen.truth).items()},
        "then": {name: round(share, 3) for name, share in means(seen.after).items()},
        "figures": figures(seen.scenario, seen.truth.base[0]), "scenario": plain(seen.scenario),
    }  # fmt: skip


def plain(scenario: Scenario) -> dict:
    """As JSON has it: null stands for a link or a reader without a limit."""
    return {
        name: None if isinstance(value, float) and math.isinf(value) else value
        for name, value in asdict(scenario).items()
    }


def main(words: list[str]) -> None:
    if words == ["search"]:
        search()
        return
    if words:
        sys.exit(f"{' '.join(words)}: say search, or nothing")
    forms = {form: [card(number) for number in numbers] for form, numbers in CHOSEN.items()}
    pairs = [sorted((c["constraint"], c["next"]) for c in form) for form in forms.values()]
    if pairs[0] != pairs[1]:
        sys.exit(f"the forms differ: {pairs}")
    OUT.write_text(json.dumps(forms, indent=1, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
