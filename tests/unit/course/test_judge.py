"""Verdicts from a run's counters, beside what perturbing the run shows, where both are known."""

import math

import pytest

from constraintlab.course.elasticity import foreseen
from constraintlab.course.judge import bound, judge, largest
from constraintlab.course.scenario_stack import capacities, stack_of, usable
from constraintlab.limits.compose import throughput
from constraintlab.limits.resource import Resource
from constraintlab.limits.shares import elasticity
from constraintlab.scenarios.perturb import Perturbed
from constraintlab.scenarios.run import Workload, run
from constraintlab.scenarios.scenario import Lengths
from tests.unit.scenarios.cases import PLAIN, with_

SEEDS = range(3)


def shares(**by_name):
    """A truth with these shares on three seeds, each with a spread of 0.01."""
    spread = {n: (s - 0.01, s, s + 0.01) for n, s in by_name.items()}
    # Not all go up together: their difference has an interval too.
    other = {n: (v if i % 2 else v[::-1]) for i, (n, v) in enumerate(spread.items())}
    return Perturbed(PLAIN, (0, 1, 2), (), other, other, {})


def test_a_name_alone_must_have_the_largest_share_or_one_within_the_interval():
    truth = shares(compute=0.6, host=0.58, slots=0.3)
    assert largest(truth, "compute") and largest(truth, "host")
    assert not largest(truth, "slots") and not largest(truth, "network")
    assert bound(truth, ["host"], None) and not bound(truth, ["slots"], None)
    assert not bound(truth, [], None)


def test_two_names_must_both_be_close():
    truth = shares(compute=0.5, host=0.42, slots=0.1)
    assert bound(truth, ["compute", "host"], None) and bound(truth, ["host", "compute"], None)


def test_a_wide_interval_excuses_nothing():
    wild = (0.9, 0.1, 0.8), (-0.4, 0.5, 0.0)
    truth = Perturbed(PLAIN, (0, 1, 2), (), {}, {"compute": wild[0], "host": wild[1]}, {})
    assert largest(truth, "compute") and not largest(truth, "host")


@pytest.mark.parametrize(
    ("changes", "named", "next"),
    [
        ({"weights": 1e8}, ("slots",), None),
        ({"weights": 1e8, "users": 6}, ("bandwidth",), None),
        ({"sample": 1e-3, "wire": 100.0, "link": 3e5}, ("host",), "network"),
        ({"wire": 100.0, "link": 1e5, "sample": 3e-4}, ("network",), "host"),
        ({"weights": 1e7, "users": 0, "rate": 4.0, "requests": 150}, ("demand",), "slots"),
        (
            {"slow": 1.0, "speed": 50.0, "users": 8, "slots": 16, "window": 4, "sample": 1e-4},
            ("client",), "host",
        ),
    ],
)  # fmt: skip
def test_what_binds_and_what_binds_next_is_named_and_was_seen(changes, named, next):
    seen = judge(with_(**changes), SEEDS)
    assert seen.names == named and seen.right and seen.verdict.sure
    assert seen.next_right and (next is None or seen.verdict.next[0].value == next)
    assert seen.agrees, seen.apart
    assert seen.error < 0.1


def test_a_cut_pool_is_foreseen_in_the_blocks_that_admissions_may_take():
    # a watermark of a fifth: 4 of 20 blocks stay free, and 3 of 16: 16 become 13
    scenario = with_(weights=1e8, blocks=20, slots=16, watermark=0.2, policy="continuous")
    assert usable(scenario) == 16 * scenario.block_size
    stack = stack_of(scenario, run(scenario, 1).counts)
    caps, cut = capacities(scenario), math.log(13 / 16) / math.log(0.8)
    whole = elasticity(stack, caps, Resource.KV_CAPACITY, 1 - 13 / 16)
    assert foreseen(stack, caps, scenario, "kv_capacity", 0.8) == pytest.approx(whole * cut)
    assert foreseen(stack, caps, scenario, "host", 0.8) == elasticity(stack, caps, Resource.HOST)
    assert foreseen(stack, caps, scenario, "kv_capacity", 1.0) == 0.0, "nothing could be cut"


def test_a_load_that_is_served_has_the_room_that_it_had_when_some_waited():
    # users come and go: what is resident in the mean says nothing of what fits
    scenario = with_(weights=1e8, users=0, rate=1.3, requests=300, blocks=12, slots=16)
    ran = run(scenario, 1)
    stack, caps = stack_of(scenario, ran.counts), capacities(scenario)
    assert 0.1 < ran.counts.lacks["kv"] / ran.counts.seconds < 0.3
    assert stack.room.places > 1.2 * ran.counts.resident / ran.counts.seconds
    assert elasticity(stack, caps, Resource.DEMAND) == pytest.approx(1, abs=0.05)
    # preemptions come while some wait: if some always did, more prompts' work would be done again
    assert ran.counts.lost and all(k.again for k in stack.kernels if k.often)


def test_readers_keep_no_place_that_is_lacked_where_a_step_has_no_tokens_left():
    # a prompt of 64 takes eight steps and more; an answer of 24 is in 24: three and a bit run
    scenario = with_(weights=1e8, users=0, rate=20.0, requests=150, slots=8, tokens=8,
                     prompt=Lengths("fixed", 64), slow=1.0, speed=20.0, window=8)  # fmt: skip
    ran = run(scenario, 1)
    assert ran.counts.lacks["prefill"] > 0.5 * ran.counts.seconds
    stack, caps = stack_of(scenario, ran.counts), capacities(scenario)
    assert elasticity(stack, caps, Resource.CLIENT) == 0
    assert elasticity(stack, caps, Resource.BANDWIDTH) > 0.9


def test_a_verdict_that_is_wrong_is_counted_as_wrong():
    seen = judge(with_(weights=1e8, users=6), SEEDS)
    truth = shares(host=0.9, bandwidth=0.1)
    wrong = type(seen)(**{**seen.__dict__, "truth": truth})
    assert not wrong.right and wrong.confident_wrong and not wrong.strict


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": 1e7, "kv": 1e4, "flops": 1e8, "tokens": 24},
        {"weights": 1e8, "flops": 2e9, "schedule": 0.02, "sample": 1e-3},
        {"weights": 1e8, "blocks": 30, "slots": 16, "watermark": 0.2, "policy": "continuous"},
    ],
)
def test_the_throughput_is_predicted_from_the_counters(changes):
    scenario = with_(**changes)
    ran = run(scenario, 1)
    assert throughput(stack_of(scenario, ran.counts), capacities(scenario)) == pytest.approx(
        ran.x, rel=0.03
    )


def test_an_open_load_offers_what_was_served_and_what_the_queue_grew_by():
    scenario = with_(weights=1e8, users=0, rate=20.0, requests=150)
    ran = run(scenario, 1)
    stack = stack_of(scenario, ran.counts)
    assert math.isinf(stack.population)
    came = Workload(scenario, 1).first()
    warm, last = int(0.25 * 150) - 1, 149
    asked = sum(s.wanted for s in came[warm:last]) / (came[last].arrival - came[warm].arrival)
    assert stack.offered == pytest.approx(asked, rel=0.05)
    assert ran.x < 0.5 * stack.offered
