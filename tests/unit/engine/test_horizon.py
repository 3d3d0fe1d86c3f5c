"""The horizon: a plan holds exactly so long, and a leap to its end is the same as its steps."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constraintlab.engine.kv.paged import PagedKV
from constraintlab.engine.kv.prefix import PrefixKV
from constraintlab.engine.plan import Budget
from constraintlab.engine.policies.continuous import Continuous
from constraintlab.engine.request import Request, Sampling

from .mock import POLICIES, STORES, Engine, answer, outline, workload

cases = st.tuples(
    st.sampled_from(list(product(POLICIES, STORES))),
    st.tuples(st.integers(1, 16), st.integers(1, 5)),
    st.integers(1, 6).flatmap(lambda n: st.builds(Budget, st.just(n), st.integers(n, 24))),
    st.integers(0, 10**6),
)


def engine_on(case, own=False):
    """own: each prompt ends in a token of its own, so that no two requests write the same text."""
    (policy, store), pool, budget, seed = case
    engine = Engine(POLICIES[policy], STORES[store](*pool), budget)
    for request in workload(seed, 8, prompt=8, output=14, stops=False):
        request.prompt += (10 + request.id,) * own
        engine.submit(request)
    return engine


@settings(max_examples=300, deadline=None)
@given(cases)
def test_planning_anew_each_step_gives_the_plan_for_its_whole_horizon_and_then_another(case):
    engine = engine_on(case)
    promised, left, headed = None, 0, False
    while engine.busy:
        plan = engine.plan()
        assert plan.horizon >= 1
        if left:
            assert outline(plan) == promised
            assert plan.horizon == left or (headed and plan.horizon > left)
        elif promised and not headed and "mlfq" not in case[0][0]:
            # (A request that falls to another level may change nothing.)
            assert outline(plan) != promised
        if not left:
            promised, left = outline(plan), plan.horizon
            decodes = all(r in engine.running and r.todo == 1 for r, _ in plan.chunks)
            if not decodes or plan.preempted:
                assert left == 1
                promised = None
        # Whether one that waits shares a block shows only as that block gets full: until then it
        # must be reckoned with, and the promise may turn out too short.
        headed = isinstance(engine.kv, PrefixKV) and bool(engine.waiting)
        engine.step(plan)
        left -= 1


@settings(max_examples=300, deadline=None)
@given(cases)
def test_a_leap_to_the_end_of_the_horizon_is_the_same_as_its_steps(case):
    steps, leaps = engine_on(case, own=True), engine_on(case, own=True)
    while steps.busy:
        steps.step()
    while leaps.busy:
        plan = leaps.plan()
        if plan.horizon > 1:
            leaps.leap(plan)
        else:
            leaps.step(plan)
    assert leaps.trace == steps.trace


def decoding(kv, lengths, max_tokens=100):
    """Running requests that hold these many tokens each and have the next one to compute."""
    requests = []
    for i, n in enumerate(lengths):
        request = Request(i, [i] * n, Sampling(max_tokens))
        request.admit(kv.attach(request))
        kv.grow(request, n)
        request.advance(n)
        request.append(0)
        requests.append(request)
    return requests


@pytest.mark.parametrize(
    ("free", "steps"),
    # Lengths 3, 4 and 6 in blocks of 4: room for 1, 0 and 2 tokens in their last blocks.
    [(1, 1), (2, 2), (3, 4), (4, 5), (5, 6), (6, 8), (7, 9), (300, 99)],
)
def test_the_steps_that_a_paged_pool_lasts(free, steps):
    kv = PagedKV(4 + free, 4)
    requests = decoding(kv, [3, 4, 6])
    assert kv.free == free
    plan = Continuous().plan([], requests, kv, Budget(3, 3))
    assert plan.horizon == steps


def test_a_head_that_may_share_a_block_ends_the_horizon_when_that_block_gets_full():
    kv = PrefixKV(8, 4)
    (request,) = decoding(kv, [6])
    twin = Request("twin", [*request.tokens, *[1] * 30], Sampling(2))
    other = Request("other", [1] * 37, Sampling(2))
    plan = Continuous().plan([twin], [request], kv, Budget(2, 100))
    assert not plan.admitted and plan.horizon == 2
    plan = Continuous().plan([other], [request], kv, Budget(2, 100))
    assert not plan.admitted and plan.horizon == 26
    plan = Continuous().plan([twin], [request], kv, Budget(1, 100))
    assert plan.horizon == 26, "with no slot free it does not matter what it may share"


def test_a_first_write_after_a_fork_ends_the_horizon():
    kv = PagedKV(40, 4)
    (parent,) = decoding(kv, [6])
    child = Request("child", [*parent.tokens], Sampling(50))
    kv.fork(parent, child)
    child.admit(parent.computed)
    plan = Continuous().plan([], [parent, child], kv, Budget(2, 100))
    assert plan.horizon == 1
    for request, n in plan.chunks:
        kv.grow(request, n)
        request.advance(n)
        request.append(1)
    assert Continuous().plan([], [parent, child], kv, Budget(2, 100)).horizon == 49


def test_the_mock_answers_are_not_all_alike():
    """Else the tests above would tell little."""
    answers = {tuple(answer(r)) for r in workload(1, 50, stops=False)}
    assert len(answers) > 30
