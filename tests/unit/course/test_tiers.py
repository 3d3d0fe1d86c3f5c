"""Lab 08's tiers: what the model says of them, the virtual clock, and the two together."""

import math
from dataclasses import replace
from itertools import islice
from random import Random

import pytest

from constraintlab.course.tiers import (
    ANSWER,
    PROMPT,
    SETUP,
    STEP,
    Tiered,
    Tiers,
    device,
    gain,
    rate,
    stack,
    told,
    verdict,
    workload,
)
from constraintlab.course.tiers_virtual import passed
from constraintlab.limits.catalogue import more
from constraintlab.limits.compose import throughput
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource
from constraintlab.limits.whatif import whatif

LAYOUTS = [Tiers(1, 1), Tiers(2, 1), Tiers(1, 2), Tiers(1, 3), Tiers(2, 3)]


def seen(x, source="measured"):
    return Estimate(x, x, x, "tok/s", source)


def by_hand(tiers):
    """Tokens/s of the slower tier, counted without the model."""
    decode = tiers.slots / STEP * ANSWER / (ANSWER - 1)
    prefill = tiers.prefill * ANSWER / (STEP * math.ceil(PROMPT / SETUP.tokens))
    return min(decode, prefill)


@pytest.mark.parametrize("tiers", LAYOUTS)
def test_the_slower_tier_sets_the_pace(tiers):
    assert throughput(stack(tiers), device()) == pytest.approx(by_hand(tiers))


@pytest.mark.parametrize("tiers", LAYOUTS)
def test_the_virtual_clock_agrees(tiers):
    ran = passed(tiers, tiers.requests(3))
    assert ran.rate == pytest.approx(by_hand(tiers), rel=0.06)
    assert sum(n for _, n in ran.events) == ANSWER * tiers.requests(3)


def test_the_constraint_goes_from_slots_to_the_other_tier_and_back():
    found = [verdict(t, seen(by_hand(t))).constraint[0] for t in LAYOUTS]
    slots, compute = Resource.SLOTS, Resource.COMPUTE
    assert found == [slots, slots, compute, compute, slots]


def test_the_tool_foresees_the_gain_and_the_decoy():
    one = verdict(Tiers(1, 1), seen(by_hand(Tiers(1, 1))))
    second = whatif(one, more(Resource.SLOTS, 2))
    assert second.gain.value == pytest.approx(by_hand(Tiers(1, 2)) / by_hand(Tiers(1, 1)))
    assert second.constraint == (Resource.COMPUTE,)
    assert whatif(one, more(Resource.COMPUTE, 2)).gain.value == pytest.approx(1.0)


def test_cores_that_all_tiers_share_can_bind():
    spent = {"gateway": 0.001, "prefill": 0.002, "decode": 0.006, "client": 0.001}
    found = verdict(Tiers(2, 4), seen(200.0), spent, cores=2)
    assert found.constraint[0] is Resource.HOST and found.predicted == pytest.approx(200.0)


def test_a_gain_is_measured_only_where_both_were():
    def ran(tiers, measured):
        real = Estimate.absent("tok/s", "no Ray") if measured is None else seen(measured)
        modelled = seen(by_hand(tiers), "modelled: virtual clock")
        return Tiered(tiers, modelled, real, verdict(tiers, modelled))

    one, two = Tiers(1, 1), Tiers(1, 2)
    both = gain(ran(one, 100.0), ran(two, 150.0))
    assert (both.value, both.source) == (1.5, "measured") and "Ray Serve" in told(both)
    before = ran(one, 100.0)
    shaky = replace(before, measured=Estimate(100.0, 80.0, 125.0, "tok/s"))
    spread = gain(shaky, ran(two, 150.0))
    assert (spread.low, spread.value, spread.high) == pytest.approx((1.2, 1.5, 1.875))
    half = gain(ran(one, 100.0), ran(two, None))
    assert half.value == pytest.approx(1.5625) and half.source.startswith("modelled")
    assert "Nothing was measured" in told(half)


def test_a_rate_is_of_the_middle_of_a_run():
    steady = [(0.1 * i, 2) for i in range(100)]
    assert rate(steady).value == pytest.approx(20.0)
    assert rate([*steady, (1000.0, 1)]).value == pytest.approx(20.0)


def test_a_rate_varies_by_what_its_parts_differ_by():
    slowing = [(0.1 * i, 2) for i in range(43)] + [(4.4 + 0.2 * i, 2) for i in range(57)]
    found = rate(slowing)
    assert (found.low, found.high) == pytest.approx((10.0, 20.0))
    assert found.low < found.value < found.high


def test_a_run_that_was_ended_after_its_middle_has_the_rate_of_the_whole():
    events = [(0.1 * i + 0.01 * (i % 3), 2) for i in range(100)]
    assert rate(events[:70], 200) == rate(events)
    with pytest.raises(ValueError, match="120 of 200 tokens came"):
        rate(events[:60], 200)
    with pytest.raises(ValueError, match="0 of 200"):
        rate([], 200)


def test_what_is_under_way_on_the_clock_never_exceeds_what_there_is():
    ran = passed(Tiers(1, 2), 24)
    found = [ran.at(ran.seconds * i / 50) for i in range(51)]
    assert max(m.decode for m in found) <= 1.0 and max(m.prefill for m in found) == 1.0
    assert found[-1].tokens == 24 * ANSWER and found[-1].waiting == 0
    assert [m.tokens for m in found] == sorted(m.tokens for m in found)


def test_the_workload_is_what_the_model_counts():
    asked = workload(5)
    sizes = list(islice(asked.source.draws(Random(0)), 5))
    assert {(s.prompt, s.output) for s in sizes} == {(PROMPT, ANSWER)} and asked.limit == 5
