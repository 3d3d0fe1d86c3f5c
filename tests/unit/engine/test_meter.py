"""What a meter counts stands for all steps: a few of the short ones, and each of the long ones."""

from types import SimpleNamespace

import pytest

from constraintlab.engine.kv.store import KVStats
from constraintlab.engine.meter import EVERY, LONG, Meter
from constraintlab.engine.plan import Budget, StepPlan
from constraintlab.engine.step import Seconds, Step
from constraintlab.limits.work import Kernel, Work


class Model:
    """Counts a kernel whose own work is what the newest step was given."""

    def __init__(self):
        self.own, self.asked = 0.0, 0

    def work(self):
        self.asked += 1
        each = Work(self.own, 10 * self.own, 100 * self.own)
        return (Kernel("layers", each, Work(7, 70, 700)),)


@pytest.fixture
def metered():
    engine = SimpleNamespace(model=Model(), running=[], waiting=[], budget=Budget(8, 8))
    return Meter(engine, clock=lambda: 0.0), engine.model


def step(sequences=1, prefill=0, forward=LONG / 10):
    seconds = Seconds(0.0, forward, 0.0, 0.0)
    kv, plan = KVStats(1, 0, 0), StepPlan(())
    return Step(0.0, seconds, sequences, sequences, prefill, 0, 0, 0, kv, (), plan=plan)


def run(meter, model, steps):
    for own, made in steps:
        model.own = own
        meter.stepped(made, 0.01)
    return meter._work["layers"]


def test_short_steps_alike_are_counted_once_in_a_while_and_add_up_to_all(metered):
    meter, model = metered
    done = run(meter, model, [(2.0, step(3))] * (1 + 10 * EVERY))
    assert model.asked == 11 and meter.totals["counted_steps"] == 1 + 10 * EVERY
    assert meter.totals["counted_sequences"] == 3 * (1 + 10 * EVERY)
    assert done.own_flops == pytest.approx(2.0 * 3 * (1 + 10 * EVERY))
    assert done.fixed_bytes == pytest.approx(70 * (1 + 10 * EVERY))
    assert done.fixed_fresh == pytest.approx(700 * (1 + 10 * EVERY))


def test_each_long_step_is_counted_as_it_is(metered):
    meter, model = metered
    done = run(meter, model, [(float(i), step(1, 9, 2 * LONG)) for i in range(20)])
    assert model.asked == 20
    assert done.own_fresh == pytest.approx(100 * sum(range(20)))


def test_a_prompt_in_every_eighth_step_does_not_stand_for_the_decodes(metered):
    """The period of the prompts is that of the counting: it must not matter."""
    meter, model = metered
    steps = []
    for i in range(100 * EVERY):
        prompt = i % EVERY == 0
        steps.append((1000.0, step(1, 9)) if prompt else (1.0, step(1)))
    done = run(meter, model, steps)
    exact = sum(own for own, _ in steps)
    assert done.own_flops / meter.totals["counted_steps"] == pytest.approx(
        exact / len(steps), rel=0.05
    )


def test_unequal_batches_count_for_the_sequences_that_they_had(metered):
    meter, model = metered
    run(meter, model, [(1.0, step(n)) for n in (1, *[4] * EVERY, *[8] * EVERY)])
    assert meter.totals["counted_sequences"] == 1 + 4 * EVERY + 8 * EVERY
    assert meter._work["layers"].own_flops == 1 + 4 * EVERY + 8 * EVERY
