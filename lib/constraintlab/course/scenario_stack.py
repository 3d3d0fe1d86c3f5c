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

from constraintlab.engine.virtual.counts import Counts
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.readers import Readers
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


def together(runs: Sequence[Ran]) -> Counts:
    """The counters of several runs as those of one long one."""
    return reduce(add, (r.counts for r in runs))


def kernels(s: Scenario, counts: Counts) -> tuple[Kernel, ...]:
    """The average step's kernels. To the products of steps with prompts more is added, by how
    many tokens those have: which side of a kernel is the longer differs between them."""
    whole, plain = counts.steps, counts.kinds[0]
    batch = whole.sequences / whole.steps
    decodes = plain.decodes / plain.steps if plain.steps else 0.0
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
                )
            )
    keys, looked = (s.kv * n / whole.sequences for n in (whole.keys, whole.looked))
    return (
        *found,
        Kernel("attention", Work(s.look * whole.keys / whole.sequences, keys)),
        Kernel("attention of prompts", Work(s.look * whole.pairs / whole.sequences, looked)),
    )


PLAIN = "products"
LACKS = ("slots", "kv", "prefill")


def stack_of(s: Scenario, counts: Counts) -> Stack:
    """The stack at the working point that was counted."""
    pool = s.blocks * s.block_size
    # A pool is never quite full: a watermark stays free, and what is left is too little for the
    # next in the queue. How full it was while that was what they lacked is counted.
    slots, kv, budget = (counts.lacks.get(n, 0.0) / counts.seconds for n in LACKS)
    full = counts.held / counts.seconds / pool if kv > max(slots, 0.25) else 1 - s.watermark
    room = kv_room(pool * full, [(counts.resident, counts.held)])
    stations = []
    if s.frame:
        stations.append(front_end({"frame": s.frame}))
    if s.wire and math.isfinite(s.link):
        stations.append(link(s.wire, s.link))
    population = math.inf if s.open else counts.open / counts.seconds
    if budget > 0.5 and slots + kv < 0.2:
        # They wait for tokens of a step, which no resource stands for; more room would not help.
        population = counts.resident / counts.seconds
    seen = sum(counts.gaps.values())
    slow = tuple(Readers(t / seen, 1 / gap) for gap, t in counts.gaps.items() if gap)
    if slow and population > min(s.slots, room):
        # A stream is held from when its window is full, which then is so three quarters of the
        # time: up to there its reader keeps nobody from leaving the engine.
        slower = counts.drawn / max(1.0, counts.beyond)
        slow = tuple(Readers(r.share, r.rate * slower) for r in slow)
    return Stack(
        kernels(s, counts),
        (HostStage("schedule", fixed=s.schedule), HostStage("sample", each=s.sample)),
        tuple(stations),
        slow,
        tokens=counts.drawn / counts.steps.sequences,
        population=population,
        slots=s.slots,
        kv_room=room,
        offered=(counts.drawn + counts.queued) / counts.seconds if s.open else math.inf,
    )
