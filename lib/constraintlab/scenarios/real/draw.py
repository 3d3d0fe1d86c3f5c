"""Scenarios for a real stack: as those on the virtual clock, so small that a run takes seconds."""

from __future__ import annotations

from dataclasses import replace

from constraintlab.scenarios import draw as virtual
from constraintlab.scenarios.real.bed import Own
from constraintlab.scenarios.run import WARM, run
from constraintlab.scenarios.scenario import Scenario

SIZE = virtual.Size(batch=(5, 10), prompt=(8, 60), answer=(10, 20), step=(1.5e-3, 4e-3))

COUNTED, SECONDS = 30, 0.8
"""Answers at least, and seconds, that are counted in a run."""

FAR = 1 << 20
"""Tokens of a stream that may be under way: sockets take all of such short answers."""


def draw(seed: int, number: int, own: Own) -> Scenario:
    """Scenario `number` of a seed, in bytes that a token has here, and with what the stack costs by
    itself as the least that the host can cost."""
    s = virtual.draw(seed, number, replace(SIZE, wire=(own.wire,)))
    s = replace(
        s, schedule=max(s.schedule, own.schedule), sample=max(s.sample, own.sample),
        frame=max(s.frame, own.frame), window=FAR,
    )  # fmt: skip
    # An open load may come faster than it is answered: what is counted ends when the last comes.
    pace = max(s.rate, run(s, 0).x / s.answer.mean)
    counted = max(COUNTED, round(SECONDS * pace))
    return replace(s, requests=s.users + max(s.users + 1, round(counted / (1 - WARM))))
