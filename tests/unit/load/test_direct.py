"""An open loop into an engine's process, and its replay on the virtual clock."""

from itertools import pairwise
from random import Random
from types import SimpleNamespace

import pytest

from constraintlab.engine.setup import Setup
from constraintlab.engine.virtual.cost import StepCost, Took
from constraintlab.load.arrivals import Uniform
from constraintlab.load.direct import Direct, Due, Offered, drawn
from constraintlab.load.profiles import Lengths, Profile

pytestmark = pytest.mark.long

SETUP = Setup(model="stub@500", policy="continuous", slots=2, tokens=64, blocks=64)
SHORT = Profile("short", Lengths.exactly(4), Lengths.exactly(10))


@pytest.fixture(scope="module")
def direct():
    with Direct(SETUP) as direct:
        yield direct


def test_what_is_drawn_does_not_depend_on_when_it_comes():
    mixed = Profile("mixed", Lengths(((1.0, 3.0, 0.5),)), Lengths(((1.0, 3.0, 0.5),)))
    at_once, spread = drawn(mixed, 20, 7), drawn(mixed, 20, 7, Uniform(10))
    assert [d.at for d in at_once] == [0.0] * 20
    assert [d.at for d in spread] == pytest.approx([i / 10 for i in range(20)])
    assert [(d.prompt, d.output) for d in at_once] == [(d.prompt, d.output) for d in spread]
    assert drawn(mixed, 20, 8) != at_once


def test_each_is_sent_when_it_is_due_and_the_steps_of_all_are_known(direct):
    due = drawn(SHORT, 12, arrivals=Uniform(20))
    found = direct.offer(due)
    assert all(0 <= sent - d.at < 0.05 for sent, d in zip(found.sent, due, strict=True))
    assert [len(a.tokens) for a in found.answers] == [10] * 12
    assert sum(s.prompts for s in found.steps) == 12
    assert sum(s.tokens for s in found.steps) == 12 * 4
    assert sum(s.decodes for s in found.steps) == 12 * 9
    assert found.rate == pytest.approx(120 / found.seconds)
    assert max(found.gaps([0, 1])) < 0.1 and len(found.gaps([0, 1])) == 18
    # Two slots at 500 steps/s are 1,000 tok/s, and nothing like that was asked for.
    assert found.saturated != found.saturated or found.saturated < 1000


def test_a_queue_that_never_empties_shows_what_saturated_is(direct):
    found = direct.offer(drawn(SHORT, 60))
    assert 700 < found.saturated < 1050


def test_the_replay_waits_where_the_engine_waited(direct):
    random = Random(3)
    due = [Due(0.02 * i, 4, random.choice((5, 60))) for i in range(40)]
    found = direct.offer(due)
    ghosts = found.replay(direct.setup)
    ends = [g.ended - g.arrival for g in ghosts]
    assert sum(ends) == pytest.approx(sum(found.e2e), rel=0.1)
    assert max(ends) == pytest.approx(max(found.e2e), rel=0.15)


def test_a_machine_that_is_slower_for_a_while_costs_more_for_that_while():
    usual = [Took(1e-3 * (4 + d), d, 0) for d in (1, 2, 4)] * 30
    slow = [step._replace(seconds=2 * step.seconds) for step in usual]
    reports = [SimpleNamespace(now=10.0, steps=())]
    for i, steps in enumerate((usual, slow, usual)):
        reports.append(SimpleNamespace(now=11.0 + i, steps=steps))
    costs = Offered((), (), (), reports).costs()
    assert [at for at, _ in costs] == [0.0, 1.0, 2.0]
    one, two, three = (sum(map(cost.of, usual)) for _, cost in costs)
    assert one == pytest.approx(sum(s.seconds for s in usual), rel=1e-6)
    assert two == pytest.approx(2 * one, rel=1e-6) and three == pytest.approx(one, rel=1e-6)


def test_windows_follow_one_another_and_a_run_of_a_few_steps_is_too_short_to_replay(direct):
    direct.engine.switch("continuous")
    found = direct.offer(drawn(SHORT, 60, arrivals=Uniform(30)))
    costs = found.costs(window=0.5)
    assert costs[0][0] == 0.0 and len(costs) >= 3
    assert all(a < b for (a, _), (b, _) in pairwise(costs))
    with pytest.raises(ValueError, match="100 or more"):
        direct.offer(drawn(SHORT, 1)).replay(SETUP)


def test_the_costs_of_a_pace():
    cost = StepCost(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    assert cost.times(2) == StepCost(2.0, 4.0, 6.0, 8.0, 10.0, 12.0)
