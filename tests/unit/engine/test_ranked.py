"""Policies under which who runs may pause: shortest remaining first, and the feedback queue."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constraintlab.engine.kv.paged import PagedKV
from constraintlab.engine.plan import Budget
from constraintlab.engine.policies.chunked import Chunked
from constraintlab.engine.policies.classes import Classes
from constraintlab.engine.policies.continuous import Continuous
from constraintlab.engine.policies.mlfq import MLFQ
from constraintlab.engine.policies.shortest import Shortest
from constraintlab.engine.policies.static import Static
from constraintlab.engine.request import Request, Sampling

from .mock import Engine, answer


def asked(*sizes, prompt=4):
    """Requests that come one after the other and write so many tokens."""
    return [Request(i, [i] * prompt, Sampling(n), arrival=float(i)) for i, n in enumerate(sizes)]


def ends(engine, requests):
    """Their ids in the order in which they end."""
    found = []
    while engine.busy:
        engine.step()
        found += [r.id for r in requests if r.finish_reason and r.id not in found]
    assert all(r.output == answer(r) for r in requests)
    return found


def computing(plan):
    return [r.id for r, _ in plan.chunks]


def test_shortest_pauses_who_has_more_left_and_that_one_keeps_its_kv():
    engine, requests = Engine(Shortest(), PagedKV(64, 4), Budget(1, 64)), asked(9, 5, 2, 7)
    engine.submit(requests[0])
    engine.step()
    engine.submit(*requests[1:])
    plan = engine.step()
    assert computing(plan) == [2] and plan.paused == [requests[0]]
    assert engine.running == [requests[0], requests[2]] and engine.kv.held(requests[0])
    assert ends(engine, requests) == [2, 1, 3, 0]
    assert not any(preempted for _, preempted, _ in engine.trace)


def test_a_pause_ends_in_a_preemption_when_the_room_is_needed_and_the_last_goes_first():
    engine, requests = Engine(Shortest(), PagedKV(4, 4), Budget(1, 64)), asked(12, 7, 2)
    for request in requests[:2]:
        engine.submit(request)
        engine.step()
        engine.step()
    assert engine.step().paused == [requests[0]] and engine.kv.free == 0, "two blocks each"
    engine.submit(requests[2])
    plan = engine.step()
    assert plan.preempted == [requests[0]] and computing(plan) == [], "none is admitted with it"
    assert computing(engine.step()) == [2]
    assert ends(engine, requests) == [2, 1, 0]


def test_nobody_is_put_out_for_one_that_would_find_no_room_even_so():
    engine = Engine(MLFQ(quantum=2), PagedKV(6, 4), Budget(2, 64))
    old, young = asked(14, 14)
    late = Request(2, [2] * 16, Sampling(2), arrival=2.0)
    engine.submit(old, young)
    for _ in range(6):
        engine.step()
    assert engine.kv.free == 0 and engine.policy.level(late) < engine.policy.level(young)
    engine.submit(late)
    plan = engine.step()
    # It needs four blocks, and of the six the elder holds three.
    assert not plan.preempted and computing(plan) == [0, 1]
    assert ends(engine, [old, young, late])[0] == 0


def test_a_request_falls_a_level_for_every_doubling_of_what_it_had():
    policy, (request,) = MLFQ(quantum=4, prompt=0.5), asked(100)
    request.admit()
    request.advance(4)
    levels = []
    for _ in range(60):
        levels.append(policy.level(request))
        request.output.append(0)
    # 2 tokens for its prompt; then levels of 4, 8, 16 and 32.
    assert [levels.count(level) for level in range(4)] == [2, 8, 16, 32]
    assert policy.until_next(request) == 4 * 31 - 62


def test_a_long_prompt_skips_the_levels_that_it_would_use_up_at_once():
    policy = MLFQ(quantum=4, prompt=0.5)
    of = [policy.level(Request(0, [0] * n, Sampling(1))) for n in (1, 7, 8, 23, 24, 56)]
    assert of == [0, 0, 1, 1, 2, 3]


def test_a_newcomer_takes_the_slot_of_who_had_much_and_the_elder_keeps_its_own():
    engine = Engine(MLFQ(quantum=2), PagedKV(64, 4), Budget(2, 64))
    requests = asked(30, 30, 1, 1)
    engine.submit(*requests[:2])
    for _ in range(8):
        engine.step()
    engine.submit(*requests[2:])
    plans = [computing(engine.step()) for _ in range(3)]
    assert plans == [[0, 2], [0, 3], [0, 1]]
    alone = Engine(MLFQ(quantum=2, elders=0), PagedKV(64, 4), Budget(2, 64))
    requests = asked(30, 30, 1, 1)
    alone.submit(*requests[:2])
    for _ in range(8):
        alone.step()
    alone.submit(*requests[2:])
    assert computing(alone.step()) == [2, 3]


def crowd(policy, first, seed, blocks, until):
    """Steps until the first request ends while short ones never stop coming; None: it did not."""
    random, engine = Random(seed), Engine(policy, PagedKV(blocks, 4), Budget(2, 64))
    engine.submit(*first)
    for step in range(until):
        if first[-1].finish_reason:
            return step
        for _ in range(2):
            late = Request(f"{step}", [1] * random.randint(1, 4), Sampling(1), arrival=10.0 + step)
            engine.submit(late)
        engine.step()
    return None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=5), st.integers(0, 10**6))
def test_nobody_starves_and_the_bound_is_the_work_of_those_who_came_before(sizes, seed):
    first = asked(*sizes)
    bound = sum(sizes) + len(sizes)
    steps = crowd(MLFQ(quantum=1), first, seed, blocks=8, until=4 * bound)
    assert steps is not None and steps <= bound


@pytest.mark.parametrize("policy", [MLFQ(quantum=1, elders=0), Shortest()])
def test_without_elders_a_long_request_waits_for_as_long_as_short_ones_come(policy):
    assert crowd(policy, asked(12), 1, blocks=8, until=400) is None


def test_reserved_slots_are_for_short_requests_which_pass_long_ones():
    engine = Engine(Classes(long=10, reserved=0.5), PagedKV(64, 4), Budget(2, 64))
    requests = asked(20, 20, 3, 3, 20)
    engine.submit(*requests)
    assert [computing(engine.step()) for _ in range(4)] == [[0, 2], [0, 2], [0, 2], [0, 3]]
    assert ends(engine, requests) == [2, 3, 0, 1, 4]


def test_one_slot_is_left_for_long_requests_whatever_is_reserved():
    engine = Engine(Classes(long=10, reserved=0.9), PagedKV(64, 4), Budget(2, 64))
    engine.submit(*asked(20, 20))
    assert computing(engine.step()) == [0]


def test_a_request_is_as_long_as_its_prompt_and_what_it_may_write():
    policy = Classes(long=10)
    assert [policy.is_long(r) for r in asked(6, 7)] == [False, True]


@pytest.mark.parametrize("after", [Static(), Continuous(), Chunked(), Classes(6)])
def test_a_policy_can_be_changed_while_requests_run(after):
    engine = Engine(MLFQ(quantum=1, elders=0), PagedKV(64, 4), Budget(2, 16))
    requests = asked(9, 9, 9, 3, 5, 2)
    for request in requests:
        engine.submit(request)
        engine.step()
    assert len(engine.running) > 2, "some are paused"
    engine.policy = after
    plan = engine.step()
    assert len(plan.chunks) == 2 and computing(plan) == [r.id for r in engine.running[:2]]
    engine.step()
    engine.policy = Shortest()
    ends(engine, requests)
    assert engine.kv.free == 64


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"quantum": 0}, "quantum=0"), ({"quantum": 1.5}, "whole number"),
        ({"elders": -1}, "elders=-1"), ({"prompt": -0.1}, "prompt=-0.1"),
        ({"watermark": 1}, "watermark=1"),
    ],
)  # fmt: skip
def test_levels_that_are_none_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        MLFQ(**options)


@pytest.mark.parametrize("options", [{"long": 0}, {"reserved": 1}, {"reserved": -1}])
def test_classes_that_are_none_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Classes(**options)
