"""The virtual clock against the engine's own loop, step by step, and against closed forms."""

import math
from random import Random
from statistics import fmean, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constraintlab.engine import loop
from constraintlab.engine.kv.contiguous import ContiguousKV
from constraintlab.engine.kv.counted import CountedKV
from constraintlab.engine.kv.paged import PagedKV
from constraintlab.engine.plan import Budget
from constraintlab.engine.policies.chunked import Chunked
from constraintlab.engine.policies.classes import Classes
from constraintlab.engine.policies.continuous import Continuous
from constraintlab.engine.policies.mlfq import MLFQ
from constraintlab.engine.policies.shortest import Shortest
from constraintlab.engine.policies.static import Static
from constraintlab.engine.request import Request, Sampling
from constraintlab.engine.stub import Stub
from constraintlab.engine.virtual.clock import Clock
from constraintlab.engine.virtual.cost import StepCost, Took, pairs
from constraintlab.engine.virtual.ghost import Ghost
from constraintlab.engine.virtual.speed import Speed

POLICIES = (
    Static(), Continuous(), Continuous(0.2), Chunked(), Chunked(0.2), Classes(10), Shortest(),
    MLFQ(quantum=2), MLFQ(quantum=3, elders=0, watermark=0.1),
)  # fmt: skip
COST = StepCost(fixed=1.0, each=0.1, key=0.01, prompt=0.5, token=0.05, pair=0.001)


def asked(seed, n=12):
    """(prompt, answer, arrival) of each, in order of arrival."""
    random, at, found = Random(seed), 0.0, []
    for _ in range(n):
        at += random.choice((0.0, random.expovariate(0.2)))
        found.append((random.randint(1, 9), random.randint(1, 14), at))
    return found


def by_steps(policy, kv, budget, cost, requests):
    """The engine's own loop, one step after the other: (first token, end) of each."""
    engine, now = loop.Engine(Stub(), policy, kv, budget), 0.0
    coming = [Request(i, [1] * p, Sampling(o), arrival=at) for i, (p, o, at) in enumerate(requests)]
    first, ended = {}, {}
    while coming or engine.busy:
        if not engine.busy:
            now = max(now, coming[0].arrival)
        while coming and coming[0].arrival <= now:
            assert not engine.submit(coming.pop(0))
        plan = engine.plan()
        decode = [r for r, n in plan.chunks if n == 1 and r.output]
        chunks = [(n, r.computed) for r, n in plan.chunks if not (n == 1 and r.output)]
        if plan.chunks:
            now += cost.step(len(decode), sum(r.computed + 1 for r in decode), chunks)
        for emitted in engine.step(plan).emitted:
            first.setdefault(emitted.request.id, now)
            if emitted.finished:
                ended[emitted.request.id] = now
    return [(first[i], ended[i]) for i in range(len(requests))]


@settings(max_examples=200, deadline=None)
@given(
    policy=st.sampled_from(POLICIES), pool=st.tuples(st.integers(6, 30), st.integers(1, 5)),
    budget=st.integers(1, 6).flatmap(lambda n: st.builds(Budget, st.just(n), st.integers(n, 24))),
    seed=st.integers(0, 10**6),
)  # fmt: skip
def test_leaps_take_every_request_through_the_same_moments_as_steps(policy, pool, budget, seed):
    blocks, size = pool[0] * -(-23 // pool[1]) // 2 + 23, pool[1]
    requests = asked(seed)
    steps = by_steps(policy, PagedKV(blocks, size), budget, COST, requests)
    ended = {}
    kv = CountedKV(blocks, size)
    clock = Clock(policy, kv, budget, COST, lambda g: ended.setdefault(g.id, (g.first, g.ended)))
    clock.run(Ghost(i, *r) for i, r in enumerate(requests))
    kv.assert_consistent()
    assert [ended[i] for i in range(len(requests))] == [pytest.approx(m) for m in steps]
    assert clock.tokens == sum(o for _, o, _ in requests) and kv.free == blocks


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6), blocks=st.integers(6, 12))
def test_a_pool_that_runs_out_preempts_in_both(seed, blocks):
    requests, budget = asked(seed), Budget(6, 64)
    steps = by_steps(Continuous(), PagedKV(blocks, 4), budget, COST, requests)
    ghosts = [Ghost(i, *r) for i, r in enumerate(requests)]
    clock = Clock(Continuous(), CountedKV(blocks, 4), budget, COST)
    clock.run(ghosts)
    assert [(g.first, g.ended) for g in ghosts] == [pytest.approx(m) for m in steps]
    assert clock.lost >= sum(g.preemptions for g in ghosts)


def test_a_long_answer_is_a_leap_and_an_arrival_ends_it():
    alone = Clock(Continuous(), CountedKV(1000), Budget(4, 64), COST)
    alone.run([Ghost(0, 5, 5000)])
    assert alone.steps == 5000 and alone.plans <= 3
    met = Clock(Continuous(), CountedKV(1000), Budget(4, 64), COST)
    met.run([Ghost(0, 5, 5000), Ghost(1, 5, 100, arrival=1000.0)])
    assert met.plans <= 6 and met.steps < 5100


def test_a_contiguous_store_can_be_driven_too():
    requests = asked(3)
    made = [ContiguousKV(12, 4, max_length=24) for _ in range(2)]
    steps = by_steps(Continuous(), made[0], Budget(8, 64), COST, requests)
    ghosts = [Ghost(i, *r) for i, r in enumerate(requests)]
    Clock(Continuous(), made[1], Budget(8, 64), COST).run(ghosts)
    assert [(g.first, g.ended) for g in ghosts] == [pytest.approx(m) for m in steps]


@given(
    cost=st.builds(StepCost, st.floats(0.1, 2), st.floats(0, 1), st.floats(0, 0.1)),
    seconds=st.floats(0, 500), limit=st.integers(1, 200), decodes=st.integers(1, 9),
    keys=st.integers(1, 999),
)  # fmt: skip
def test_the_fewest_steps_that_last_so_long(cost, seconds, limit, decodes, keys):
    n = cost.within(seconds, limit, decodes, keys)
    assert 1 <= n <= limit
    one_by_one = [cost.step(decodes, keys + decodes * i) for i in range(n)]
    assert cost.steps(n, decodes, keys) == pytest.approx(sum(one_by_one))
    assert n == limit or cost.steps(n, decodes, keys) >= seconds
    assert n == 1 or cost.steps(n - 1, decodes, keys) < seconds


def test_what_can_not_be_is_said():
    with pytest.raises(ValueError, match="fixed=-1: give seconds"):
        StepCost(-1)
    with pytest.raises(ValueError, match="never ends"):
        StepCost(0)
    with pytest.raises(ValueError, match="give 1 or more of each"):
        Ghost(3, 5, 0)
    clock = Clock(Continuous(), CountedKV(2, 4), Budget(1, 8), COST)
    with pytest.raises(ValueError, match="request 0: it may need 9 tokens of KV, the pool has 8"):
        clock.run([Ghost(0, 5, 5)])
    with pytest.raises(ValueError, match="request 2 comes before 1: sort them"):
        clock.run([Ghost(1, 1, 1, 5.0), Ghost(2, 1, 1, 4.0)])


SERVICE = {
    "M/D/1": lambda random: 100,
    # Geometric, which is what an exponential time is in whole tokens.
    "M/M/1": lambda random: 1 + int(math.log(1 - random.random()) / math.log(1 - 1 / 100)),
    "M/G/1": lambda random: max(1, round(math.exp(random.gauss(4.0, 0.8)))),
}
BATCHES = 31
EACH = {0.5: 1500, 0.8: 1500, 0.9: 5000}
"""Requests of a batch by load: the queue of a busier server remembers longer."""


def queued(kind, load, seed=0):
    """Seconds in the queue of each request at one slot, and what Pollaczek-Khinchine says."""
    random = Random(f"{kind} {load} {seed}")
    lengths = [SERVICE[kind](random) for _ in range(BATCHES * EACH[load])]
    step = 0.01
    mean, square = (step**p * fmean(n**p for n in lengths) for p in (1, 2))
    rate, at, found = load / mean, 0.0, []

    def coming():
        nonlocal at
        for i, n in enumerate(lengths):
            at += random.expovariate(rate)
            yield Ghost(i, 1, n, at)

    clock = Clock(
        Continuous(), CountedKV(2000, 16), Budget(1, 1), StepCost(step),
        lambda g: found.append(g.admitted - g.arrival),
    )  # fmt: skip
    clock.run(coming())
    return found, rate * square / (2 * (1 - load))


LOADS = (0.5, 0.8, 0.9)


def off(kind, load, seed=0):
    """How far the mean wait is from the closed form, in half widths of its own 95% interval: that
    of the means of 30 batches (t with 29 degrees), after one in which the queue fills."""
    found, expected = queued(kind, load, seed)
    n = EACH[load]
    means = [fmean(found[i * n : (i + 1) * n]) for i in range(1, BATCHES)]
    half = 2.045 * stdev(means) / math.sqrt(len(means))
    assert half < 0.35 * expected, "an interval that says something"
    return (fmean(means) - expected) / half


@pytest.mark.parametrize("load", [0.5, 0.8, pytest.param(0.9, marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", SERVICE)
def test_a_single_slot_waits_as_pollaczek_and_khinchine_say(kind, load):
    assert abs(off(kind, load)) < 1


@pytest.mark.long
@pytest.mark.timeout(400)
def test_the_interval_covers_the_closed_form_as_often_as_it_should():
    """18 other runs: of so many, 95% leave out three at the most, 99 times of a hundred."""
    found = [off(kind, load, seed) for kind in SERVICE for load in LOADS for seed in (1, 2)]
    assert sum(abs(z) >= 1 for z in found) <= 3 and abs(fmean(found)) < 0.35


TRUE = StepCost(fixed=2e-4, each=3e-5, key=2e-8, prompt=1e-4, token=5e-6, pair=3e-9)


def taken(cost, n=3000, noise=0.0, stalls=0, prompts=True):
    """Steps as an engine of this cost would take them."""
    random, found = Random(5), []
    for i in range(n):
        decodes = random.randint(0, 16)
        keys = sum(random.randint(5, 900) for _ in range(decodes))
        chunks = [(random.randint(2, 400), random.choice((0, 64)))] * (prompts and i % 7 == 0)
        seconds = cost.step(decodes, keys, chunks) * random.lognormvariate(0, noise)
        seconds += 0.2 * (i < stalls)
        found.append(
            Took(seconds, decodes, keys, len(chunks), sum(c for c, _ in chunks), pairs(chunks))
        )
    return found


PARTS = ("fixed", "each", "key", "prompt", "token", "pair")


def test_the_costs_of_steps_are_found_again():
    found = StepCost.fit(taken(TRUE))
    for name in PARTS:
        assert getattr(found, name) == pytest.approx(getattr(TRUE, name), rel=1e-6)


def test_noise_does_not_hide_them_and_their_sum_is_what_was_spent():
    steps = taken(TRUE, noise=0.2)
    found = StepCost.fit(steps)
    assert found.each == pytest.approx(TRUE.each, rel=0.1)
    assert found.token == pytest.approx(TRUE.token, rel=0.1)
    told = sum(
        found.fixed + found.each * s.decodes + found.key * s.keys + found.prompt * s.prompts
        + found.token * s.tokens + found.pair * s.pairs
        for s in steps
    )  # fmt: skip
    assert told == pytest.approx(sum(s.seconds for s in steps), rel=1e-9)


def test_a_stall_bends_no_cost_but_its_time_is_kept():
    steps = taken(TRUE, stalls=2)
    found, more = (
        StepCost.fit(steps),
        sum(s.seconds for s in steps) / sum(s.seconds for s in taken(TRUE)),
    )
    assert more > 1.1
    for name in PARTS:
        assert getattr(found, name) == pytest.approx(more * getattr(TRUE, name), rel=1e-6)


def test_what_no_step_had_costs_nothing_and_no_cost_is_negative():
    found = StepCost.fit(taken(TRUE, prompts=False))
    assert (found.prompt, found.token, found.pair) == (0.0, 0.0, 0.0)
    cheaper = [s._replace(seconds=1e-3 - 1e-5 * s.decodes) for s in taken(TRUE, prompts=False)]
    assert min(getattr(StepCost.fit(cheaper), name) for name in PARTS) == 0.0


def test_a_few_steps_are_too_few():
    with pytest.raises(ValueError, match="99 steps"):
        StepCost.fit(taken(TRUE, n=99))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), rate=st.floats(0.01, 2.0), still=st.floats(0.1, 9.0))
def test_a_machine_that_slows_down_is_the_usual_one_on_another_clock(seed, rate, still):
    """The usual machine, whose requests come when it has done as much work, at those moments."""
    speed = Speed([0.0, 9.0, 9.0 + still], [1.0, rate, 1.5])
    ghosts = [Ghost(i, p, o, at) for i, (p, o, at) in enumerate(asked(seed))]
    Clock(Continuous(), CountedKV(99, 4), Budget(3, 16), COST, speed=speed).run(ghosts)
    usual = [Ghost(i, p, o, speed.work(at)) for i, (p, o, at) in enumerate(asked(seed))]
    Clock(OneByOne(), CountedKV(99, 4), Budget(3, 16), COST).run(usual)
    for a, b in zip(ghosts, usual, strict=True):
        assert speed.work(a.first) == pytest.approx(b.first, rel=1e-9)
        assert speed.work(a.ended) == pytest.approx(b.ended, rel=1e-9)
        assert sum(a.bill.values()) == pytest.approx(a.ended - a.arrival)


def test_work_takes_as_long_as_the_machine_is_slow():
    speed = Speed([0.0, 2.0, 3.0], [1.0, 0.25, 2.0])
    assert [speed.work(t) for t in (-1.0, 1.0, 2.5, 4.0)] == [-1.0, 1.0, 2.125, 4.25]
    assert speed.after(1.0, 0.5) == 1.5
    assert speed.after(1.0, 1.25) == pytest.approx(3.0)
    assert speed.after(2.5, 2.125) == pytest.approx(4.0), "half of it stands, half is quick"


@pytest.mark.parametrize(
    "since, rates, match",
    [([], [], "one or more"), ([0.0], [1.0, 2.0], "1 moments, 2 rates"),
     ([1.0, 1.0], [1.0, 2.0], "sort them"), ([0.0, 1.0], [1.0, 0.0], "does no work")],
)  # fmt: skip
def test_a_speed_that_makes_no_sense_is_refused(since, rates, match):
    with pytest.raises(ValueError, match=match):
        Speed(since, rates)


class OneByOne(Continuous):
    """Whose plans hold for one step."""

    def plan(self, *args):
        plan = super().plan(*args)
        return type(plan)(plan.chunks, plan.preempted, plan.paused, 1, plan.waits)
