"""Predicted elasticities: the usual one, what it may be as well, and how far off that is."""

import pytest

from constraintlab.course.elasticity import WIDE, Elasticity, elasticities
from constraintlab.course.scenario_readers import COMES, SHARP
from constraintlab.course.scenario_stack import capacities, otherwise, stack_of
from constraintlab.limits.compose import throughput
from constraintlab.scenarios.perturb import perturb
from constraintlab.scenarios.run import run
from tests.unit.scenarios.cases import with_

SEEDS = range(2)


def of(usual, low, high):
    return Elasticity((usual, usual), ((low, high), (low, high)))


def test_what_lies_between_the_ends_is_not_off_and_beside_them_it_is_off_from_the_nearer():
    predicted = of(0.5, 0.45, 0.6)
    assert predicted.off((0.58, 0.46)).value == 0
    assert predicted.off((0.4, 0.4)).value == pytest.approx(0.05)
    assert predicted.off((0.9, 0.9)).value == pytest.approx(-0.3)
    assert predicted.alone.off((0.58, 0.58)).value == pytest.approx(-0.08)
    assert predicted.between == pytest.approx((0.45, 0.6)) and predicted.width == pytest.approx(
        0.15
    )


def test_an_end_that_is_far_away_excuses_no_more_than_a_wide_interval_does():
    predicted = of(0.5, 0.0, 1.0)
    assert predicted.width == 1 and predicted.off((0.5 + WIDE, 0.5 - WIDE)).value == 0
    assert predicted.off((0.9, 0.9)).value == pytest.approx(WIDE - 0.4)
    assert predicted.off((0.1, 0.1)).value == pytest.approx(0.4 - WIDE)


def test_only_what_the_model_has_to_assume_makes_an_interval():
    plain = perturb(with_(weights=1e8), SEEDS)
    slow = perturb(with_(slow=0.5, speed=40.0, users=12, slots=8, window=8, weights=2e7), SEEDS)
    for truth, widest in ((plain, 0.0), (slow, 0.01)):
        scenario = truth.scenario
        stacks = [stack_of(ran.seen, ran.counts) for ran in truth.base]
        found = elasticities(truth, stacks, capacities(scenario))
        assert set(found) == set(truth.factors) - {"tokens"}
        for e in found.values():
            assert all(low <= p <= high for p, (low, high) in zip(e.usual, e.ends, strict=True))
        widths = [e.width for e in found.values()]
        assert max(widths) > widest if widest else max(widths) < 1e-9
    stack = stack_of(slow.base[0].seen, slow.base[0].counts)
    assert len(otherwise(slow.base[0].seen, slow.base[0].counts, stack)) >= 4


@pytest.mark.parametrize(
    "behind", [{}, {"frame": 2e-4}, {"frame": 4e-4, "wire": 30.0, "link": 1e5}]
)
def test_a_user_whose_last_token_is_still_on_its_way_misses_the_next_step(behind):
    # eight users, who need no place: with something behind the engine each is away for one step
    # in 25 or so, which is no slowness of what is behind it
    scenario = with_(weights=1e7, users=8, slots=16, **behind)
    ran = run(scenario, 0)
    stack = stack_of(ran.seen, ran.counts, SHARP)
    assert throughput(stack, capacities(scenario)) == pytest.approx(ran.x, rel=1e-3)
    assert (stack.population == 8) == (not behind)


def test_an_open_load_near_what_can_be_served_may_as_well_have_come_a_little_faster_or_slower():
    scenario = with_(weights=1e7, users=0, rate=35.0, requests=400)
    ran = run(scenario, 0)
    usual = stack_of(ran.seen, ran.counts)
    less, more = (stack_of(ran.seen, ran.counts, one).offered for one in COMES)
    # 300 requests or so are counted, of which √300 more come as easily
    assert usual.offered / less - 1 == pytest.approx(1 / 300**0.5, rel=0.1)
    assert more / usual.offered - 1 == pytest.approx(1 / 300**0.5, rel=0.1)
    assert len(otherwise(ran.seen, ran.counts, usual)) == 2
    # far more is offered than is served: no need to ask
    full = run(with_(weights=1e7, users=0, rate=90.0, requests=400), 0)
    assert not otherwise(full.seen, full.counts, stack_of(full.seen, full.counts))
