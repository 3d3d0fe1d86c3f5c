"""Scenarios on real processes. Whether they are quick enough is the bench's affair."""

from dataclasses import replace

import pytest

from constraintlab.scenarios.real.bed import Bed
from constraintlab.scenarios.real.draw import FAR, draw
from constraintlab.scenarios.run import Workload, run
from constraintlab.scenarios.run import together as seen_together
from constraintlab.scenarios.scenario import Lengths, Scenario

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def bed():
    with Bed() as found:
        yield found


PLAIN = Scenario(
    "plain", 1e12, 1e9, 4e6, 0.0, 1e3, 0.0, 0.0, 0.0, Lengths("uniform", 12),
    Lengths("lognormal", 10), 4, 64, 40, users=6, requests=40, window=FAR,
)  # fmt: skip


def test_what_is_asked_is_as_on_the_virtual_clock_and_what_is_counted_adds_up(bed):
    found = bed.run(PLAIN, 1)
    assert found.x > 0 and found.peak_slots == PLAIN.slots
    answers = sum(found.counts.answers.values())
    assert 0.5 * 34 * 0.75 < answers <= 34
    virtual = run(found.seen, 1)
    assert virtual.counts.steps.sequences == pytest.approx(found.counts.steps.sequences, rel=0.25)
    mean = found.counts.open / found.counts.seconds
    assert mean == pytest.approx(PLAIN.users, rel=0.2), "users are always there"
    first = [(a.size, a.sampling.max_tokens) for a in Workload(PLAIN, 1).first()]
    assert len(set(first)) > 1


def test_a_device_with_a_fifth_of_the_bandwidth_is_felt(bed):
    fast, slow = (bed.run(replace(PLAIN, bandwidth=b), 0).x for b in (1e9, 2e8))
    assert slow < 0.6 * fast


def test_what_the_host_is_made_to_cost_is_found_again(bed):
    dear = replace(PLAIN, schedule=20e-3, frame=3e-3)
    seen = bed.run(dear, 0).seen
    assert seen.schedule + 4 * seen.sample > 15e-3
    assert seen.frame > 2.5e-3
    own = bed.own
    assert own.schedule + own.sample > 0 and 0 < own.frame < 3e-3 and own.wire > 50
    assert seen_together([bed.run(PLAIN, 0)]).wire == PLAIN.wire, "without a link"


def test_a_link_carries_what_it_is_set_to(bed):
    narrow = replace(PLAIN, wire=bed.own.wire, link=100 * bed.own.wire)
    found = bed.run(narrow, 0)
    assert found.x < 115 and found.seen.wire == pytest.approx(bed.own.wire, rel=0.4)


def test_slow_readers_take_their_time_and_others_do_not_wait(bed):
    found = bed.run(replace(PLAIN, slow=0.5, speed=20.0), 0)
    gaps = {gap for gap, _ in found.counts.answers}
    assert gaps == {0.0, 1 / 20}
    assert found.x < bed.run(PLAIN, 0).x


def test_an_open_load_comes_when_it_is_due(bed):
    open_ = replace(PLAIN, users=0, rate=20.0, requests=40)
    found = bed.run(open_, 0)
    assert found.counts.seconds == pytest.approx(30 / 20.0, rel=0.5)


def test_a_drawn_scenario_costs_at_least_what_the_stack_does(bed):
    for number in range(5):
        found = draw(1, number, bed.own)
        assert found.frame >= bed.own.frame and found.schedule >= bed.own.schedule
        assert found == draw(1, number, bed.own)
