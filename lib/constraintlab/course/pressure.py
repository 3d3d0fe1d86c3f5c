"""Users at a load: tokens that come over tokens that full slots do, in the same seconds.

A machine with neighbours changes its pace from one run to the next: then the load was another one
than was meant, and the users come once more.
"""

from __future__ import annotations

from collections.abc import Sequence

from constraintlab.course import thinking
from constraintlab.course.driver import Ran
from constraintlab.course.questions import Question
from constraintlab.course.tail_stage import Faced, TailStage
from constraintlab.engine.setup import Setup
from constraintlab.engine.virtual.cost import StepCost

NEAR = 0.2
"""How far the load may be from the one that is meant, as a share of it."""


def full(ran: Ran, slots: int) -> float:
    """Output tokens a second with all slots full, by what this run's own steps cost: of answers and
    contexts as long as its own."""
    steps, answers = ran.offered.steps, ran.answers
    cost = StepCost.fit(steps)
    decodes = sum(s.decodes for s in steps)
    context = sum(s.keys for s in steps) / max(1, decodes)
    tokens = sum(len(a.tokens) for a in answers) / len(answers)
    prompt = sum(len(a.prompt) for a in answers) / len(answers)
    own = cost.step(0, 0, [(round(prompt), 0)]) - cost.step(0, 0)
    decode = cost.step(slots, round(slots * context)) / slots
    return 1 / (decode + own / tokens)


def load(run: Faced) -> float:
    """ρ: tokens that came ÷ what full slots would have done meanwhile."""
    return run.offered / full(run.ran, run.setup.slots)


async def at_load(
    stage: TailStage, name: str, setup: Setup, some: Sequence[Question], wanted: float,
    known: float, tries: int = 4,
) -> tuple[Faced, thinking.Pattern]:  # fmt: skip
    """(the run, when they came) at a load of `wanted`, or of several tries the nearest to it.
    known: tokens/s of full slots, as far as is known before; the run itself says how it was."""
    nearest = None
    for _ in range(tries):
        came = thinking.arrive(len(some), wanted * known / thinking.mean(some))
        run = await stage.face(name, setup, some, came.at)
        off = abs(load(run) / wanted - 1)
        if nearest is None or off < nearest[0]:
            nearest = off, run, came
        if off <= NEAR:
            break
        known = full(run.ran, setup.slots)
    return nearest[1:]
