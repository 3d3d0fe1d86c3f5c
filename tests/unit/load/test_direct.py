"""An open loop into an engine's process, and its replay on the virtual clock."""

import os
import signal
import threading
import time
from random import Random
from types import SimpleNamespace

import pytest

from constraintlab.engine.setup import Setup
from constraintlab.engine.virtual.cost import Took
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


def reported(*windows):
    """Steps that end as their report is made, (moment, steps)."""
    reports = [SimpleNamespace(now=10.0, steps=())]
    reports += [SimpleNamespace(now=10.0 + at, steps=steps) for at, steps in windows]
    return Offered((), (), (), reports)


USUAL = [Took(1e-3 * (4 + d), d, 0) for d in (1, 2, 4)] * 30


def test_a_machine_that_is_slower_for_a_while_does_less_in_that_while():
    slow = [step._replace(seconds=2 * step.seconds) for step in USUAL]
    cost, speed = reported((1.0, USUAL), (2.0, slow), (3.0, USUAL)).calibrated()
    assert sum(map(cost.of, USUAL)) == pytest.approx(4 / 3 * sum(s.seconds for s in USUAL))
    one, two, three = (speed.work(t + 1) - speed.work(t) for t in (0.0, 1.0, 2.0))
    assert one == pytest.approx(three) == pytest.approx(2 * two) == pytest.approx(4 / 3)


def test_a_step_in_which_the_machine_stood_still_costs_that_moment_alone():
    stood = [*USUAL, USUAL[0]._replace(seconds=0.4)]
    cost, speed = reported((0.5, USUAL), (1.4, stood), (1.9, USUAL)).calibrated()
    usual = speed.work(0.9) - speed.work(0.4)
    assert speed.work(0.4) == pytest.approx(0.8 * usual)
    assert speed.work(1.4) - speed.work(1.0) < 0.02 * usual
    assert speed.work(1.9) - speed.work(1.4) == pytest.approx(usual)
    assert speed.after(0.99, cost.of(USUAL[0])) > 0.99, "what begins before it ends after it"


def test_a_window_in_which_nothing_ran_is_like_any_other():
    _, speed = reported((1.0, USUAL), (2.0, ()), (3.0, USUAL)).calibrated()
    assert speed.work(2.0) - speed.work(1.0) == pytest.approx(1.0)


def test_an_engine_that_stands_still_is_replayed_standing_still(direct):
    """Stopped for 0.3 s, three times, at work: it is no slower before and after that."""
    direct.engine.switch("continuous")
    due = [Due(0.015 * i, 4, (5, 20)[i % 2]) for i in range(120)]

    def stop_and_go():
        for _ in range(3):
            time.sleep(0.4)
            os.kill(direct.engine.pid, signal.SIGSTOP)
            time.sleep(0.3)
            os.kill(direct.engine.pid, signal.SIGCONT)

    stopper = threading.Thread(target=stop_and_go)
    stopper.start()
    found = direct.offer(due)
    stopper.join()
    ends = [g.ended - g.arrival for g in found.replay(direct.setup)]
    assert max(found.e2e) > 0.3
    assert sum(ends) == pytest.approx(sum(found.e2e), rel=0.15)
    assert max(ends) == pytest.approx(max(found.e2e), rel=0.15)


def test_a_run_of_a_few_steps_is_too_short_to_replay(direct):
    with pytest.raises(ValueError, match="100 or more"):
        direct.offer(drawn(SHORT, 1)).replay(SETUP)
