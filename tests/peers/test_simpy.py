"""The virtual clock against SimPy: continuous batching whose steps grow with the batch, a case that
no formula covers, written as processes and events by the book of that library alone."""

from random import Random
from statistics import fmean

import pytest

from constraintlab.engine.kv.counted import CountedKV
from constraintlab.engine.plan import Budget
from constraintlab.engine.policies.continuous import Continuous
from constraintlab.engine.virtual.clock import Clock
from constraintlab.engine.virtual.cost import StepCost
from constraintlab.engine.virtual.ghost import Ghost

from .conftest import need

COST = StepCost(fixed=0.008, each=2e-4, key=2e-8, prompt=1e-3, token=2e-5)
SLOTS = 16


def workload(n, rate, seed):
    """(arrival, prompt, answer) of each."""
    random, at, found = Random(seed), 0.0, []
    for _ in range(n):
        at += random.expovariate(rate)
        found.append((at, random.randint(1, 300), max(1, round(random.lognormvariate(4.5, 1.0)))))
    return found


def in_simpy(requests):
    """(first token, last token) of each; 16 run at a time, who came first is served first."""
    import simpy

    env = simpy.Environment()
    queue, first, last = simpy.Store(env), {}, {}

    def arrivals():
        for i, (at, prompt, answer) in enumerate(requests):
            yield env.timeout(at - env.now)
            yield queue.put((i, prompt, answer))

    def server():
        decoding = []  # [number, tokens in the cache, tokens to come]
        served = 0
        while served < len(requests):
            fresh = []
            if not decoding:
                fresh.append((yield queue.get()))
            while queue.items and len(decoding) + len(fresh) < SLOTS:
                fresh.append((yield queue.get()))
            seconds = 0.008 + 2e-4 * len(decoding)
            seconds += 2e-8 * sum(cached + 1 for _, cached, _ in decoding)
            seconds += sum(1e-3 + 2e-5 * prompt for _, prompt, _ in fresh)
            yield env.timeout(seconds)
            for entry in decoding:
                entry[1] += 1
                entry[2] -= 1
            for number, prompt, answer in fresh:
                first[number] = env.now
                decoding.append([number, prompt, answer - 1])
            for number, _, left in decoding:
                if not left:
                    last[number] = env.now
                    served += 1
            decoding = [entry for entry in decoding if entry[2]]

    env.process(arrivals())
    env.process(server())
    env.run()
    return [(first[i], last[i]) for i in range(len(requests))]


@pytest.mark.parametrize("rate", [2.0, 8.0, 20.0])
def test_every_request_has_its_tokens_at_the_same_moments(rate):
    need("simpy")
    requests = workload(2000, rate, seed=rate)
    theirs = in_simpy(requests)
    ghosts = [Ghost(i, p, o, at) for i, (at, p, o) in enumerate(requests)]
    clock = Clock(Continuous(), CountedKV(100_000), Budget(SLOTS, 100_000), COST)
    clock.run(ghosts)
    for ghost, (first, last) in zip(ghosts, theirs, strict=True):
        assert ghost.first == pytest.approx(first, rel=1e-9)
        assert ghost.ended == pytest.approx(last, rel=1e-9)
    waits = fmean(g.admitted - g.arrival for g in ghosts)
    assert (waits > 1.0) == (rate == 20.0), "from a queue that is hardly there to one that grows"
