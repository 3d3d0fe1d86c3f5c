"""Requests that are held: their keys and values stay, they compute nothing, the rest goes on."""

from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constraintlab.engine.kv.paged import PagedKV
from constraintlab.engine.plan import Budget
from constraintlab.engine.policies.chunked import Chunked
from constraintlab.engine.policies.continuous import Continuous
from constraintlab.engine.policies.static import Static
from constraintlab.engine.request import Phase, Request, Sampling

from .mock import POLICIES, STORES, Engine, answer, workload

BASIC = [Static(), Continuous(), Chunked()]
RANKED = ("mlfq", "shortest")
"""Whoever pauses under these keeps no slot."""


def requests(n, most=20):
    return [Request(i, [10 * i + 1, 10 * i + 2], Sampling(most)) for i in range(n)]


def begun(policy, n=3, slots=4, blocks=100):
    """An engine whose first n requests have begun to decode."""
    engine, asked = Engine(policy, PagedKV(blocks, 4), Budget(slots, 16)), requests(n)
    engine.submit(*asked)
    for _ in range(3):
        engine.step()
    return engine, asked


@pytest.mark.parametrize("policy", BASIC)
def test_a_held_request_keeps_its_kv_and_computes_nothing(policy):
    engine, (one, two, three) = begun(policy)
    engine.hold(two)
    written, held = len(two.output), engine.kv.held(two)
    plan = engine.step()
    assert plan.paused == [two] and [r for r, _ in plan.chunks] == [one, three]
    for _ in range(5):
        engine.step()
    assert len(two.output) == written and engine.kv.held(two) == held > 0
    engine.resume(two)
    while engine.busy:
        engine.step()
    assert all(r.output == answer(r) for r in (one, two, three))


@pytest.mark.parametrize("policy", BASIC)
def test_when_all_are_held_a_step_does_nothing_and_the_engine_is_idle_until_it_is_told(policy):
    engine, asked = begun(policy)
    for request in asked:
        engine.hold(request)
    assert not engine.idle
    engine.step()
    assert engine.idle and engine.busy
    engine.resume(asked[1])
    assert not engine.idle
    engine.step()
    assert [r for r, _ in engine.trace[-1][0]] == [1]
    engine.hold(asked[1])
    engine.step()
    assert engine.idle
    engine.cancel(asked[0])
    assert not engine.idle


@pytest.mark.parametrize("policy", [Continuous(), Chunked()])
def test_a_held_request_keeps_its_slot_and_others_join_the_free_ones(policy):
    engine, asked = begun(policy, n=2, slots=3)
    engine.hold(asked[0])
    later = requests(4)[2:]
    engine.submit(*later)
    engine.step()
    assert engine.running == [*asked, later[0]] and list(engine.waiting) == [later[1]]


def test_a_static_batch_with_a_held_request_has_not_finished():
    engine, asked = begun(Static(), n=2)
    engine.submit(*requests(3, most=2)[2:])
    engine.hold(asked[0])
    while not engine.idle:
        engine.step()
    assert engine.running == [asked[0]] and len(engine.waiting) == 1


@pytest.mark.parametrize("policy", [Continuous(), Chunked()])
def test_a_held_request_that_waits_is_overtaken_until_it_is_resumed(policy):
    engine = Engine(policy, PagedKV(100, 4), Budget(1, 16))
    one, two, three = asked = requests(3, most=3)
    engine.submit(*asked)
    engine.hold(two)
    while not engine.idle:
        engine.step()
    assert one.phase is three.phase is Phase.FINISHED and two.phase is Phase.WAITING
    engine.resume(two)
    while engine.busy:
        engine.step()
    assert two.output == answer(two)


@pytest.mark.parametrize("policy", [Continuous(), Chunked()])
def test_what_is_held_may_leave_no_room_and_then_the_others_wait_without_a_spin(policy):
    engine = Engine(policy, PagedKV(4, 4), Budget(4, 16))
    one, two = asked = [Request(i, [i] * 6, Sampling(9)) for i in range(2)]
    engine.submit(*asked)
    engine.step()
    engine.hold(one)
    while not engine.idle:
        engine.step()
    assert engine.running == [one] and list(engine.waiting) == [two]
    engine.cancel(one)
    while engine.busy:
        engine.step()
    assert two.output == answer(two)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(list(product(POLICIES, STORES))),
    st.tuples(st.integers(1, 12), st.integers(1, 5)),
    st.integers(1, 6),
    st.integers(0, 10**6),
)
def test_holding_anyone_at_any_time_changes_no_answer(pair, pool, slots, seed):
    kv = STORES[pair[1]](*pool)
    engine, random = Engine(POLICIES[pair[0]], kv, Budget(slots, slots + 4)), Random(seed)
    asked = workload(seed, 8)
    engine.submit(*asked)
    while engine.busy:
        held = [r for r in (*engine.running, *engine.waiting) if r.held]
        if held and (engine.idle or random.random() < 0.2):
            engine.resume(random.choice(held))
        elif random.random() < 0.2:
            engine.hold(random.choice([*engine.running, *engine.waiting]))
        if not engine.idle:
            plan = engine.step()
            assert not any(r.held for r, _ in plan.chunks)
            assert len(plan.chunks) <= slots
            if pair[0].split(",")[0] not in RANKED:
                assert len(plan.chunks) + len(plan.paused) <= slots
    for request in asked:
        assert request.finish_reason == "refused" or request.output == answer(request)
    assert kv.free == kv.units
