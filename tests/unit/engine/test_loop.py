"""Any policy over any store: every answer is the one that a request gets alone."""

from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constraintlab.engine.plan import Budget
from constraintlab.engine.request import Phase

from .mock import POLICIES, STORES, Engine, answer, workload

ALL = list(product(POLICIES, STORES))
budgets = st.integers(1, 6).flatmap(
    lambda slots: st.builds(Budget, st.just(slots), st.integers(slots, 24))
)
pools = st.tuples(st.integers(1, 12), st.integers(1, 5))


def progress(engine):
    """The oldest request that is not finished, and how far it is."""
    oldest = min((*engine.running, *engine.waiting), key=lambda r: r.id)
    return oldest.id, len(oldest.output), oldest.computed


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(ALL), pools, budgets, st.integers(0, 10**6), st.integers(1, 12))
def test_answers_are_those_of_each_request_alone(pair, pool, budget, seed, n):
    kv = STORES[pair[1]](*pool)
    engine = Engine(POLICIES[pair[0]], kv, budget)
    requests, random = workload(seed, n), Random(seed)
    for i, request in enumerate(requests):
        request.arrival = float(i)
    arrivals = list(requests)
    while arrivals or engine.busy:
        while arrivals and (not engine.busy or random.random() < 0.5):
            engine.submit(arrivals.pop(0))
        if not engine.busy:
            continue
        before = progress(engine)
        plan = engine.step()
        policy = pair[0].split(",")[0]
        assert plan.tokens <= budget.tokens or policy != "chunked"
        assert len(plan.chunks) <= budget.slots and (plan.chunks or plan.preempted)
        assert not plan.preempted or not plan.admitted
        assert {r for r, _ in plan.chunks}.isdisjoint(plan.preempted)
        if policy in ("mlfq", "shortest"):
            # The oldest comes nearer to its end, where a slot is kept for it.
            if policy == "mlfq" and "no elders" not in pair[0] and not plan.preempted:
                assert not engine.busy or progress(engine) > before
            continue
        assert len(plan.chunks) + len(plan.paused) <= budget.slots
        if policy == "classes":
            # Whoever was let in first comes nearer to its end, whatever else is preempted.
            assert plan.chunks[0][0] not in plan.preempted
            continue
        # Nobody who runs is younger than one who waits, and the oldest comes nearer to its end.
        order = [r.id for r in (*engine.running, *engine.waiting)]
        assert order == sorted(order)
        assert not engine.busy or progress(engine) > before
    for request in requests:
        assert request.phase is Phase.FINISHED
        if request.finish_reason == "refused":
            assert kv.refuse(request) and not request.output
        else:
            assert request.output == answer(request)
    assert kv.free == kv.units and kv.stats().used == 0


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(ALL), pools, budgets, st.integers(0, 10**6))
def test_cancelling_at_any_time_frees_at_once_and_changes_nobody_else(pair, pool, budget, seed):
    engine = Engine(POLICIES[pair[0]], STORES[pair[1]](*pool), budget)
    requests, random = workload(seed, 10), Random(seed)
    engine.submit(*requests)
    while engine.busy:
        if random.random() < 0.3:
            request = random.choice([*engine.running, *engine.waiting])
            gives = engine.kv.held(request) if request in engine.kv else 0
            free = engine.kv.free
            engine.cancel(request)
            assert engine.kv.free == free + gives and request not in engine.kv
            engine.kv.assert_consistent()
        else:
            engine.step()
    for request in requests:
        full = answer(request)
        if request.finish_reason == "cancelled":
            assert request.output == full[: len(request.output)]
        elif request.finish_reason != "refused":
            assert request.output == full


@pytest.mark.parametrize(("policy", "store"), ALL)
def test_a_pool_of_5_percent_of_the_demand_serves_everyone_over_1000_steps(policy, store):
    requests = workload(seed=7, n=60, prompt=40, output=200)
    demand, size = sum(r.most for r in requests), 4
    kv = STORES[store](demand // 20 // size, size, longest=250)
    engine = Engine(POLICIES[policy], kv, Budget(16, 48))
    engine.submit(*requests)
    preempted = 0
    while engine.busy:
        preempted += len(engine.step().preempted)
    assert len(engine.trace) >= 1000
    assert kv.free == kv.units
    assert all(r.output == answer(r) for r in requests)
    if store not in ("paged", "prefix"):
        # A reservation lasts to the end, unless others come first.
        assert preempted == 0 or policy.startswith(("mlfq", "shortest"))
    elif policy != "static":
        assert preempted >= 20


@pytest.mark.parametrize("policy", ["continuous", "chunked"])
def test_a_watermark_makes_preemptions_rarer(policy):
    counts = []
    for name in (policy, f"{policy}, watermark"):
        engine = Engine(POLICIES[name], STORES["paged"](80, 4), Budget(16, 48))
        engine.submit(*workload(seed=7, n=60, prompt=40, output=200))
        counts.append(0)
        while engine.busy:
            counts[-1] += len(engine.step().preempted)
    assert counts[1] < 0.7 * counts[0]
