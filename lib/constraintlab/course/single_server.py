"""One slot: the server of the textbooks, with the formula, the virtual clock and the engine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from statistics import fmean, stdev

from constraintlab.course.driver import Ran
from constraintlab.engine.kv.counted import CountedKV
from constraintlab.engine.ledger import OWN
from constraintlab.engine.setup import Setup
from constraintlab.engine.virtual.clock import Clock
from constraintlab.engine.virtual.cost import StepCost
from constraintlab.engine.virtual.ghost import Ghost
from constraintlab.engine.virtual.queueing import mean_wait, variation
from constraintlab.panel.charts import waiting
from constraintlab.panel.picture import Picture

LOADS = (0.2, 0.4, 0.6, 0.75)
BATCHES = 10
STEADY = 2.262
"""Student's t with nine degrees: of the means of BATCHES batches, for 95%."""

MODELLED, SEEN = "virtual clock, its 95% interval", "the engine; bar: nine of ten runs so short"


@dataclass(frozen=True)
class Single:
    """The engine with one slot. wait, service: mean seconds, measured, by the bills of its ledger;
    load: λ · E[S]; cv2: of its services. formula: seconds that it says of this load and these
    services, infinite from a load of 1 on. virtual: the same requests' mean wait on the virtual
    clock; low, high: within which nine of ten runs of so few requests have theirs, there."""

    requests: int
    wait: float
    service: float
    load: float
    formula: float
    virtual: float
    low: float
    high: float
    cv2: float
    points: tuple[waiting.Point, ...]

    def picture(self) -> Picture:
        """The curve for these service times and for equal ones, with all that was seen."""
        steps = [i / 50 for i in range(43 if self.load < 0.84 else 46)]
        of = lambda cv2: [(p, p / (1 - p) * (1 + cv2) / 2) for p in steps]  # noqa: E731
        curves = [(f"CV² = {self.cv2:.1f}", of(self.cv2)), ("all equal", of(0.0))]
        k = self.service
        seen = waiting.Point(SEEN, self.load, self.wait / k, self.low / k, self.high / k)
        title = (
            f"Unequal answers wait {1 + self.cv2:.1f} times as long as equal ones, at every load"
        )
        text = f"{title}. " + "; ".join(
            f"load {p.load:.2f}: {p.wait:.1f} mean services waited ({p.name})"
            for p in (*self.points, seen)
        )
        return Picture(lambda theme: waiting.spec(curves, (*self.points, seen), title, theme), text)


def single(ran: Ran, setup: Setup, requests: int = 2000, again: int = 30) -> Single:
    """What a run with one slot shows beside Pollaczek and Khinchine. requests: of a point on the
    virtual clock; again: runs as short as this one, to see how far one may be off."""
    offered = ran.offered
    cost = StepCost.fit(offered.steps)
    sizes = [(d.prompt, d.output) for d in offered.due]
    ghosts = offered.replay(setup)
    services = [sum(a.bill.get(cause, 0.0) for cause in OWN) for a in offered.answers]
    waits = [sum(a.bill.values()) - s for a, s in zip(offered.answers, services, strict=True)]
    span = offered.sent[-1] - offered.sent[0]
    service, rate = fmean(services), (len(sizes) - 1) / span
    load = rate * service
    means = sorted(fmean(_queue(cost, sizes, load, len(sizes), i)) for i in range(again))
    drop = max(1, round(0.05 * again))
    points = []
    for point in LOADS:
        found = _queue(cost, sizes, point, requests, seed=int(1000 * point))
        size = len(found) // BATCHES
        some = [fmean(found[i * size : (i + 1) * size]) for i in range(BATCHES)]
        half = STEADY * stdev(some) / math.sqrt(BATCHES)
        middle = fmean(some)
        points.append(
            waiting.Point(
                MODELLED, point, middle / service, max(0.0, middle - half) / service,
                (middle + half) / service,
            )
        )  # fmt: skip
    return Single(
        len(sizes), fmean(waits), service, load,
        mean_wait(load, services) if load < 1 else math.inf,
        fmean(g.admitted - g.arrival for g in ghosts), means[drop - 1], means[-drop],
        variation(services), tuple(points),
    )  # fmt: skip


def _queue(
    cost: StepCost, sizes: Sequence[tuple[int, int]], load: float, n: int, seed: int
) -> list[float]:
    """Seconds in the queue of n requests of these sizes at one slot, independent arrivals."""
    random, at, found = Random(seed), 0.0, []
    drawn = [random.choice(sizes) for _ in range(n)]
    longest = max(p + o for p, o in sizes)
    alone = fmean(cost.step(0, 0, [(p, 0)]) + cost.steps(o - 1, 1, p + 1) for p, o in drawn)
    ghosts = []
    for i, (prompt, output) in enumerate(drawn):
        at += random.expovariate(load / alone)
        ghosts.append(Ghost(i, prompt, output, at))
    setup = replace(Setup(), policy="continuous", slots=1, tokens=longest)
    kv = CountedKV(2 * -(-longest // 16), 16)
    Clock(
        setup.scheduler(), kv, setup.budget(), cost,
        lambda g: found.append(g.admitted - g.arrival),
    ).run(ghosts)  # fmt: skip
    return found
