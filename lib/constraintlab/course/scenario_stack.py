"""A virtual run's counters as a stack: what a verdict on a scenario rests on.

The recipe gives what an operator knows or has probed: the machine's ceilings, the model's shape,
host seconds by stage (of a step, a sequence and a token, which do not vary here), the pool, the
slots, the link's rate and the readers'. What was asked of them, and how often, is counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from operator import add

from constraintlab.course.scenario_readers import (
    COMES,
    READERS,
    SHARP,
    USUAL,
    Assumed,
    answers,
    away,
)
from constraintlab.engine.virtual.counts import Counts
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.compose import sharpened
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.room import SELDOM, Room, placed
from constraintlab.limits.stack import HostStage, Stack, kv_room
from constraintlab.limits.stations import front_end, link
from constraintlab.limits.work import Kernel, Work
from constraintlab.scenarios.run import Ran
from constraintlab.scenarios.scenario import Scenario


def capacities(s: Scenario) -> Capacities:
    """The machine's ceilings, as probes would find them."""
    absent = Estimate.absent("B/s", "no fresh memory on the virtual clock")
    return Capacities(
        {"float32": Estimate(s.compute, s.compute, s.compute, "FLOP/s", "modelled")},
        Estimate(s.bandwidth, s.bandwidth, s.bandwidth, "B/s", "modelled"),
        absent,
    )


def usable(s: Scenario) -> int:
    """Tokens of the pool that admissions may take."""
    return (s.blocks - int(s.watermark * s.blocks)) * s.block_size


def together(runs: Sequence[Ran]) -> Counts:
    """The counters of several runs as those of one long one."""
    return reduce(add, (r.counts for r in runs))


def kernels(s: Scenario, counts: Counts) -> tuple[Kernel, ...]:
    """The average step's kernels. To the products of steps with prompts more is added, by how
    many tokens those have: which side of a kernel is the longer differs between them."""
    whole, plain = counts.steps, counts.kinds[0]
    batch = whole.sequences / whole.steps
    decodes = plain.decodes / plain.steps if plain.steps else 0.0
    again = min(1.0, counts.lost / whole.tokens) if whole.tokens else 0.0
    found = [Kernel(PLAIN, Work(s.flops * decodes / batch), Work(0.0, s.weights))]
    for number, kind in sorted(counts.kinds.items()):
        if number and kind.steps:
            tokens = (kind.decodes + kind.tokens) / kind.steps
            found.append(
                Kernel(
                    f"products of {tokens:.0f} tokens",
                    fixed=Work(s.flops * max(0.0, tokens - decodes)),
                    often=kind.steps / whole.steps / batch,
                    onto=PLAIN,
                    again=again,
                )
            )
    keys, looked = (s.kv * n / whole.sequences for n in (whole.keys, whole.looked))
    return (
        *found,
        Kernel("attention", Work(s.look * whole.keys / whole.sequences, keys)),
        Kernel(
            "attention of prompts",
            Work(s.look * whole.pairs / whole.sequences, looked),
            again=again,
        ),
    )


PLAIN = "products"
LACKS = ("slots", "kv", "prefill")


MOSTLY = 0.7
"""A share of the time in which requests wait that leaves an open load saturated."""


NEAR = 1.5
"""An open load that offers more times what is drawn: a fifth less of it is still far too much."""


def otherwise(s: Scenario, counts: Counts, usual: Stack) -> tuple[Stack, ...]:
    """The stack as it would be if one of those were assumed, where that changes anything."""
    others = (READERS if usual.answers else ()) + ((SHARP,) * math.isfinite(usual.sharpness))
    if usual.offered < NEAR * counts.drawn / counts.seconds:
        others += COMES
    return tuple(stack_of(s, counts, assumed) for assumed in others)


def offered(counts: Counts, comes: float = 0.0) -> float:
    """Output tokens/s that an open load asks for: what was drawn and what the queue grew by. comes:
    see `Assumed`."""
    tokens = counts.drawn + counts.queued
    number = tokens * counts.answers.total() / counts.drawn if counts.drawn else 0.0
    error = comes / math.sqrt(number) if number > 0 else 0.0
    return tokens / counts.seconds * (1 + error)


def stack_of(s: Scenario, counts: Counts, assumed: Assumed = USUAL) -> Stack:
    """The stack at the working point that was counted."""
    # A pool is never quite full: a watermark stays free, and what is left is too little for the
    # next in the queue. How many were resident while that was what they lacked is counted; where
    # the queue is often empty, those are too few who have just been preempted.
    slots, kv, budget = (counts.lacks.get(n, 0.0) / counts.seconds for n in LACKS)
    half = math.ceil(s.prompt.mean / s.block_size) * s.block_size / 2
    room = kv_room(max(usable(s) - half, half), [(counts.resident, counts.held)])
    # So many residents hold more at one time than at another.
    spread = min(0.3, counts.held_deviation / math.sqrt(max(1.0, min(room, s.slots))))
    if kv > SELDOM and (not s.open or slots + kv + budget > MOSTLY):
        beside, lacks = (sum(c.get(n, 0.0) for n in LACKS) for c in (counts.beside, counts.lacks))
        room = placed(Room(s.slots, room, spread), beside / lacks, kv / (slots + kv)).kv
    stations = []
    if s.frame:
        stations.append(front_end({"frame": s.frame}))
    if s.wire and math.isfinite(s.link):
        stations.append(link(s.wire, s.link))
    tokens = counts.drawn / counts.steps.sequences
    population = math.inf if s.open else counts.open / counts.seconds
    read = answers(s, counts, tokens, assumed)
    if not read and not s.open:
        population -= away(counts)
    if budget > 0.5 and slots + kv < 0.2:
        # They wait for tokens of a step, which no resource stands for; more room would not help,
        # and a place that a reader keeps is none that anybody else lacks.
        population, read = counts.resident / counts.seconds, None
    found = Stack(
        kernels(s, counts),
        (HostStage("schedule", fixed=s.schedule), HostStage("sample", each=s.sample)),
        tuple(stations),
        tokens=tokens,
        population=population,
        slots=s.slots,
        kv_room=room,
        kv_spread=spread,
        offered=offered(counts, assumed.comes) if s.open else math.inf,
        answers=read,
    )
    if s.open or slots + kv > 0.2 or not assumed.bends:
        # Whatever a station does, there is always somebody for the next: it never waits.
        return found
    return sharpened(found, capacities(s), counts.drawn / counts.seconds)
