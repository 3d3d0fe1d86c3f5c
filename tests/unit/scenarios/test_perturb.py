"""Perturbed elasticities where the answer is known, and the scenarios that are drawn."""

import math

import pytest

from constraintlab.scenarios.capacity import CAPACITIES, has, scaled, without
from constraintlab.scenarios.draw import draw
from constraintlab.scenarios.perturb import Interval, perturb
from constraintlab.scenarios.run import Workload, run
from constraintlab.scenarios.scenario import Lengths

from .cases import with_

SEEDS = range(3)
ALONE = {
    "compute": {"flops": 1e9, "tokens": 16},
    "host": {"sample": 1e-3},
    "network": {"wire": 100.0, "link": 1e5},
    "client": {"slow": 1.0, "speed": 50.0, "users": 8, "slots": 16, "window": 4},
}
"""What, added to the plain scenario, takes nearly all of the time."""


@pytest.mark.parametrize("name", ALONE)
def test_what_takes_all_the_time_has_an_elasticity_of_one(name):
    found = perturb(with_(**ALONE[name]), SEEDS)
    assert found.largest == name
    assert found.elasticity(name).value == pytest.approx(1, abs=0.06)
    others = {n: found.elasticity(n).value for n in found.elasticities if n != name}
    assert max(others.values()) < 0.15, others


def test_a_fixed_cost_is_the_rooms_though_bandwidth_would_help_as_much():
    # 100 ms of weights a step for 8 of 16 users: both have an elasticity of one, and slots bind
    found = perturb(with_(weights=1e8), SEEDS)
    assert found.elasticity("bandwidth").value == pytest.approx(1, abs=0.03)
    assert found.elasticity("slots").value == pytest.approx(1, abs=0.1)
    assert found.share("bandwidth").value == pytest.approx(0, abs=0.1)
    assert found.largest == "slots"


def test_where_nothing_waits_it_is_who_spends_it():
    found = perturb(with_(weights=1e8, users=6), SEEDS)
    assert found.largest == "bandwidth" and found.elasticity("slots").value == 0
    assert found.share("bandwidth").value == pytest.approx(1, abs=0.03)


def test_a_pool_that_is_too_small_binds():
    # 3 blocks hold a request: six of them, where eight slots would be
    found = perturb(with_(weights=1e8, blocks=20, slots=16, watermark=0.1), range(5))
    assert found.largest == "kv_capacity" and found.share("kv_capacity").value > 0.6


def test_below_saturation_the_offered_load_binds():
    found = perturb(with_(weights=1e7, users=0, rate=4.0, requests=150), SEEDS)
    assert found.largest == "demand" and found.share("demand").value == pytest.approx(1, abs=0.1)


def test_a_cut_is_of_the_same_workload():
    scenario = with_(sample=1e-3)
    less, factor = scaled(scenario, "host", 0.8)
    assert factor == 0.8 and less.sample == pytest.approx(scenario.sample / 0.8)
    drawn, again = ([(r.size, r.wanted) for r in Workload(s, 3).first()] for s in (scenario, less))
    assert drawn == again
    assert run(scenario, 3).x == run(scenario, 3).x != run(scenario, 4).x


def test_a_saturated_open_load_that_is_cut_is_held_against_the_same_answers():
    # three times what 8 slots serve, of prompts that cost now a little and now a lot
    costly = {"flops": 1e9, "prompt": Lengths("two", 64), "tokens": 64}
    full = with_(**costly, users=0, rate=30.0, requests=400)
    found = perturb(full, SEEDS)
    assert max(map(abs, found.elasticities["demand"])) < 0.05
    assert found.elasticities["compute"] == pytest.approx((1, 1, 1), abs=0.05)
    base = found.base[0]
    again = run(full, 0, base.ended)
    assert again.ended == base.ended and again.x == pytest.approx(base.x, rel=0.01)
    slower = run(scaled(full, "compute", 0.5)[0], 0, base.ended)
    assert slower.ended[0] == base.ended[0] and slower.ended[1] - base.ended[1] < 8


def test_users_who_ask_again_are_the_same_by_their_number():
    assert run(with_(), 0).ended is None


def test_whole_capacities_say_what_factor_came_out():
    less, factor = scaled(with_(slots=7), "slots", 0.8)
    assert less.slots == 6 and factor == pytest.approx(6 / 7)
    tight = with_(blocks=5)
    assert scaled(tight, "kv_capacity", 0.5)[1] == pytest.approx(4 / 5), "one request must fit"
    with pytest.raises(ValueError, match="'colour' is no capacity"):
        scaled(tight, "colour", 0.8)


def test_a_limit_that_is_not_there_can_not_be_cut():
    assert [n for n in CAPACITIES if has(with_(), n)] == [
        "compute", "bandwidth", "kv_capacity", "slots", "tokens",
    ]  # fmt: skip
    opened = without(with_(users=0, rate=1.0, requests=50), "demand")
    assert not opened.open and opened.users > opened.slots


def test_an_interval_is_students():
    # mean 2, deviation 1: t with two degrees 4.30 over √3
    found = Interval.of([1.0, 2.0, 3.0])
    assert (found.value, found.high) == (2.0, pytest.approx(2 + 4.30 / math.sqrt(3)))
    with pytest.raises(ValueError, match="7 seeds"):
        Interval.of([1.0] * 7)


def test_scenarios_are_those_of_their_seed_and_differ():
    assert draw(3, 5) == draw(3, 5) != draw(4, 5)
    drawn = [draw(0, i) for i in range(60)]
    assert 10 < sum(s.open for s in drawn) < 40
    for name in ("network", "client", "host", "demand"):
        assert sum(has(s, name) for s in drawn) > 3
    assert {s.policy for s in drawn} == {"chunked", "continuous"}


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Lengths("round", 5), "use fixed, uniform"),
        (lambda: Lengths("fixed", 1), "mean of 2"),
        (lambda: with_(rate=1.0), "give one of both"),
        (lambda: with_(requests=20), "20 requests of 16 users"),
        (lambda: with_(blocks=2), "52 tokens must fit"),
    ],
)
def test_what_can_not_be_is_said(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def test_lengths_have_their_mean_and_no_more_than_their_most():
    from itertools import islice
    from random import Random
    from statistics import fmean

    for kind in ("fixed", "uniform", "lognormal", "two"):
        lengths = Lengths(kind, 50)
        found = list(islice(lengths.draws(Random(1)), 4000))
        assert fmean(found) == pytest.approx(50, rel=0.05) and max(found) <= lengths.most
