"""Where a request's time went: by hand on a virtual clock, and adding up under any policy."""

import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constraintlab.engine.kv.counted import CountedKV
from constraintlab.engine.ledger import CAUSES, OWN
from constraintlab.engine.loop import Engine
from constraintlab.engine.meter import Meter
from constraintlab.engine.plan import Budget
from constraintlab.engine.policies.chunked import Chunked
from constraintlab.engine.policies.continuous import Continuous
from constraintlab.engine.policies.shortest import Shortest
from constraintlab.engine.policies.static import Static
from constraintlab.engine.request import Request, Sampling
from constraintlab.engine.stub import Stub
from constraintlab.engine.virtual.clock import Clock
from constraintlab.engine.virtual.cost import StepCost
from constraintlab.engine.virtual.ghost import Ghost

from .mock import POLICIES

SECOND = StepCost(fixed=1.0)
"""Every step takes a second, whatever is in it."""


def bills(policy, asked, slots=8, tokens=64, blocks=100, cost=SECOND):
    """What each request's time went to; asked: (prompt, answer, arrival)."""
    clock = Clock(policy, CountedKV(blocks, 4), Budget(slots, tokens), cost)
    ghosts = [Ghost(i, p, n, at) for i, (p, n, at) in enumerate(asked)]
    clock.run(ghosts)
    return [ghost.bill for ghost in ghosts]


def test_alone_it_is_all_its_own_work():
    assert bills(Continuous(), [(4, 3, 0.0)]) == [{"prompt": 1.0, "decode": 2.0, "step": 0.0}]


def test_who_comes_during_a_step_waits_for_its_end():
    _, late = bills(Continuous(), [(4, 3, 0.0), (4, 1, 0.25)])
    assert late == {"step": 0.75, "prompt": 1.0}


def test_a_full_engine_is_waited_for_as_slots():
    _, late = bills(Continuous(), [(4, 5, 0.0), (4, 2, 0.0)], slots=1)
    assert late == {"slots": 5.0, "prompt": 1.0, "decode": 1.0, "step": 0.0}


def test_a_static_batch_is_waited_for_as_slots_too():
    _, late = bills(Static(), [(4, 5, 0.0), (4, 1, 0.5)])
    assert late == {"step": 0.5, "slots": 4.0, "prompt": 1.0}


def test_a_full_pool_is_waited_for_as_kv():
    _, late = bills(Continuous(), [(8, 5, 0.0), (8, 1, 0.0)], blocks=3)
    assert late == {"kv": 5.0, "prompt": 1.0, "step": 0.0}


def test_tokens_that_other_prompts_take_are_waited_for_as_prefill():
    _, late = bills(Chunked(), [(20, 1, 0.0), (5, 1, 0.0)], tokens=8)
    assert late == {"prefill": 2.0, "prompt": 2.0, "step": 0.0}


def test_others_prompts_cost_a_decode_what_a_step_takes_longer_for_them():
    cost = StepCost(fixed=1.0, token=0.25)
    first, _ = bills(Continuous(), [(4, 4, 0.0), (8, 1, 0.5)], cost=cost)
    assert first == {"prompt": 2.0, "decode": 3.0, "prefill": 2.0, "step": 0.0}


def test_a_pause_and_a_preemption_have_names_of_their_own():
    long, _ = bills(Shortest(), [(4, 9, 0.0), (4, 2, 1.5)], slots=1)
    assert long == {"prompt": 1.0, "decode": 8.0, "paused": 2.0, "step": 0.0}
    # Each needs two of three blocks.
    long, _ = bills(Shortest(), [(4, 6, 0.0), (5, 2, 1.5)], slots=1, blocks=3)
    assert long["preempted"] == 3.0, "two steps of the other's, and one to compute it again"
    assert long == {"prompt": 1.0, "decode": 4.0, "preempted": 3.0, "step": 0.0}


def test_what_comes_after_the_first_token_is_not_in_the_first_bill():
    clock = Clock(Shortest(), CountedKV(100, 4), Budget(1, 64), SECOND)
    ghosts = [Ghost(0, 4, 9), Ghost(1, 4, 2, 1.5)]
    clock.run(ghosts)
    assert ghosts[0].bill["paused"] == 2.0 and ghosts[0].first_bill == {"prompt": 1.0, "step": 0.0}
    assert ghosts[1].first_bill == {"prompt": 1.0, "step": 0.5}


def test_a_preempted_prompt_still_has_its_first_token_before_it():
    """Tokens that are computed again are no second first token."""
    clock = Clock(Shortest(), CountedKV(3, 4), Budget(1, 64), SECOND)
    ghosts = [Ghost(0, 4, 6), Ghost(1, 5, 2, 1.5)]
    clock.run(ghosts)
    assert ghosts[0].preemptions == 1
    assert ghosts[0].first_bill == {"prompt": 1.0, "step": 0.0}


COST = StepCost(fixed=1.0, each=0.1, key=0.01, prompt=0.5, token=0.05, pair=0.001)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(POLICIES)), st.integers(5, 12), st.integers(1, 5), st.integers(0, 9999))
def test_all_of_a_requests_time_has_a_cause_under_any_policy(name, blocks, slots, seed):
    random, at, asked = Random(seed), 0.0, []
    for _ in range(12):
        at += random.choice((0.0, random.expovariate(0.2)))
        asked.append((random.randint(1, 9), random.randint(1, 12), at))
    clock = Clock(POLICIES[name], CountedKV(blocks, 4), Budget(slots, slots + 6), COST)
    ghosts = [Ghost(i, *sizes) for i, sizes in enumerate(asked)]
    clock.run(ghosts)
    for ghost in ghosts:
        assert set(ghost.bill) <= set(CAUSES) and min(ghost.bill.values()) >= 0
        total = ghost.ended - ghost.arrival
        assert math.isclose(sum(ghost.bill.values()), total, abs_tol=1e-9)
        first = ghost.first_bill
        assert math.isclose(sum(first.values()), ghost.first - ghost.arrival, abs_tol=1e-9)
        assert all(0 <= s <= ghost.bill[cause] + 1e-9 for cause, s in first.items())
        assert "decode" not in first, "its answer begins with the first token"
        # What it had to itself is at least what it takes in an engine of its own.
        assert sum(ghost.bill.get(cause, 0.0) for cause in OWN) >= COST.fixed * 0.99


def test_a_real_engines_ledger_says_what_the_clocks_says():
    """The same plans at a second a step, through the meter."""
    asked = [(20, 6, 0.0), (5, 9, 0.0), (4, 3, 0.0), (9, 2, 0.0)]
    expected = bills(Chunked(), asked, slots=2, tokens=8, blocks=12)
    engine = Engine(Stub(), Chunked(), CountedKV(12, 4), Budget(2, 8))
    engine.kv.block_table = lambda request: ()
    meter, requests = Meter(engine, clock=lambda: 0.0), []
    for i, (prompt, n, _) in enumerate(asked):
        requests.append(Request(i, [1] * prompt, Sampling(n)))
        engine.submit(requests[-1])
        meter.submitted(requests[-1])
    while engine.busy:
        meter.stepped(engine.step(), 1.0)
    lives = {life.label: life.bill for life in meter.report().lives}
    for i, bill in enumerate(expected):
        assert lives[str(i)] == {cause: s for cause, s in bill.items() if cause != "step"}


def test_a_reader_that_cannot_keep_up_is_a_cause():
    engine = Engine(Stub(), Continuous(), CountedKV(12, 4), Budget(2, 8))
    engine.kv.block_table = lambda request: ()
    meter, request = Meter(engine, clock=lambda: 0.0), Request(0, [1] * 4, Sampling(4))
    other = Request(1, [1] * 4, Sampling(6))
    for one in (request, other):
        engine.submit(one)
        meter.submitted(one)
    for step in range(9):
        if step == 1:
            engine.hold(request)
        if step == 3:
            engine.resume(request)
        if engine.busy:
            meter.stepped(engine.step(), 1.0)
    (life,) = [x for x in meter.report().lives if x.label == "0"]
    assert life.bill == {"prompt": 1.0, "reader": 2.0, "decode": 3.0}


def timed(slots=2):
    """An engine and its meter, by a clock that begins at 100."""
    engine = Engine(Stub(), Continuous(), CountedKV(12, 4), Budget(slots, 8))
    engine.kv.block_table = lambda request: ()
    return engine, Meter(engine, clock=lambda: 100.0)


def ask(engine, meter, number, arrival, n=2):
    request = Request(number, [1] * 4, Sampling(n), arrival)
    engine.submit(request)
    meter.submitted(request)
    return request


def test_a_bill_covers_all_from_the_arrival_to_the_end():
    """Between steps too: one comes during a step, another after it, and a third leaves."""
    engine, meter = timed(slots=1)
    one = ask(engine, meter, 1, 99.5)
    assert meter.stepped(engine.step(), 1.0, 101.0) == {}
    two = ask(engine, meter, 2, 100.25, n=1)
    three = ask(engine, meter, 3, 101.5)
    bills = meter.stepped(engine.step(), 1.0, 102.0)
    assert bills == {one: ({"prompt": 1.0, "decode": 1.0, "step": 0.5}, bills[one].first)}
    assert bills[one].first == {"prompt": 1.0, "step": 0.5}
    bills = meter.stepped(engine.step(), 1.0, 103.0)
    # Up to 101.5 no plan had seen it: then a slot is what the next one says.
    assert bills[two].whole == {"slots": 0.5, "prompt": 1.0, "step": 1.25}
    engine.cancel(three)
    bill = meter.ended(three, 103.5)
    assert bill.whole == bill.first == {"slots": 2.0, "step": 0.0}, "and never a token"


def test_while_all_are_held_the_readers_are_waited_for_and_no_step_is_long():
    engine, meter = timed()
    request = ask(engine, meter, 1, 100.0, n=3)
    meter.stepped(engine.step(), 1.0, 101.0)
    engine.hold(request)
    meter.stepped(engine.step(), 1.0, 102.0)
    assert engine.idle
    meter.rested(50.0, 152.0)
    engine.resume(request)
    meter.stepped(engine.step(), 1.0, 153.0)
    bills = meter.stepped(engine.step(), 1.0, 154.0)
    assert bills[request].whole == {"prompt": 1.0, "reader": 51.0, "decode": 2.0, "step": 0.0}
    report = meter.report()
    assert max(step.seconds for step in report.steps) == 1.0
    assert report.totals["resident_seconds"] == 54.0, "it had its slot all the time"


@pytest.mark.parametrize("gone", ["waiting", "running"])
def test_who_is_cancelled_has_a_bill_too(gone):
    engine = Engine(Stub(), Continuous(), CountedKV(12, 4), Budget(1, 8))
    engine.kv.block_table = lambda request: ()
    meter = Meter(engine, clock=lambda: 0.0)
    first, second = requests = [Request(i, [1] * 4, Sampling(9)) for i in range(2)]
    for request in requests:
        engine.submit(request)
        meter.submitted(request)
    for _ in range(3):
        meter.stepped(engine.step(), 1.0)
    victim = second if gone == "waiting" else first
    engine.cancel(victim)
    meter.ended(victim)
    (life,) = [x for x in meter.report().lives if x.ended == "cancelled"]
    assert life.bill == ({"slots": 3.0} if gone == "waiting" else {"prompt": 1.0, "decode": 2.0})
