"""Reports of an engine as a stack: what binds in runs whose answer is known."""

from dataclasses import replace

import pytest

from constraintlab.course.engine_source import EngineSource
from constraintlab.engine.report import TOTALS, Counted, Report
from constraintlab.engine.window import (
    Between,
    Window,
    at_work,
    between,
    engine_stack,
    kernels,
    measured,
)
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.diagnose import diagnose
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource

CAPS = Capacities(
    {"float32": Estimate.of([1e11], "FLOP/s"), "exp": Estimate.of([1e9], "1/s")},
    Estimate.of([1e10], "B/s"),
    Estimate.of([1e9], "B/s"),
    cores=2,
)
NOTHING = Report(0.0, dict.fromkeys(TOTALS, 0.0), 0, 0, 8, (1000, 0, 0), 10, (), (), (), {})
FIXED_BYTES, OWN_BYTES = 1e7, 1e5
"""A step of this engine reads 1 ms of weights, and 10 µs of KV for each sequence."""


def ran(n, steps=1000, *, waiting=0, reserved=None, slots=8, gap=0.0, each=0.0, prompt=None):
    """A window of `steps` steps of n sequences, each as long as its bytes take and gap + n · each;
    prompt: seconds more, and then each step computes a prompt."""
    step = (FIXED_BYTES + n * OWN_BYTES) / 1e10 + gap + n * each + (prompt or 0.0)
    took = steps * step
    reserved = 1000 if reserved is None else reserved
    totals = NOTHING.totals | {
        "steps": steps, "tokens": n * steps, "decodes": n * steps, "sequences": n * steps,
        "forward": took, "kv_seconds": reserved * took, "resident_seconds": n * took,
        "used_seconds": reserved * took / 2, "prefills": 0 if prompt is None else steps,
        "waiting_seconds": waiting * took, "counted_steps": steps / 10,
        "counted_sequences": n * steps / 10,
    }  # fmt: skip
    work = {
        "layers": Counted(
            "float32", fixed_bytes=FIXED_BYTES * steps / 10, own_bytes=n * OWN_BYTES * steps / 10
        )
    }
    last = replace(
        NOTHING, now=took, totals=totals, waiting=waiting, running=n, slots=slots,
        kv=(1000, reserved, reserved // 2), work=work,
        recent=((step, 0 if prompt is None else 10),) * 60 + ((50 * step, 0),) * 3,
    )  # fmt: skip
    return Window(NOTHING, last)


def verdict(window, gap=Between()):  # noqa: B008
    return diagnose(engine_stack(window, CAPS, gap), CAPS)


def test_kernels_on_a_gpu_spend_none_of_the_cores():
    window = ran(4)
    assert engine_stack(window, CAPS, Between()).shared_cores == 2
    gpu = replace(window, last=replace(window.last, device="cuda"))
    assert engine_stack(gpu, CAPS, Between()).shared_cores is None


def test_the_devices_share_and_the_wait_for_it_are_told_by_its_own_clock():
    window = ran(4)
    totals = window.last.totals | {"device": window.seconds / 4, "wait": window.seconds / 8}
    window = replace(window, last=replace(window.last, totals=totals))
    assert (window.busy, window.wait) == pytest.approx((0.25, 0.125))


def test_the_average_step_is_the_counted_one():
    (kernel,) = kernels(ran(4))
    assert kernel.fixed.bytes == pytest.approx(FIXED_BYTES)
    assert kernel.each.bytes == pytest.approx(OWN_BYTES)
    assert ran(4).bytes() == pytest.approx(1e10)


def test_a_pool_that_four_requests_reserve_is_what_the_fifth_waits_for():
    window = ran(4, waiting=20)
    found = verdict(window)
    assert found.constraint == (Resource.KV_CAPACITY,) and found.next == (Resource.SLOTS,)
    assert found.predicted == pytest.approx(window.rate)


def test_full_slots_over_an_ample_pool_are_slots():
    assert verdict(ran(8, waiting=20, reserved=80)).constraint == (Resource.SLOTS,)


def test_when_nothing_waits_the_weights_bind_their_reader():
    assert verdict(ran(2, reserved=80)).constraint == (Resource.BANDWIDTH,)


def test_what_lies_between_kernels_is_host_and_stalled_steps_do_not_count():
    extra = {"gap": 0.01, "each": 1e-3}
    gap = between(ran(1, **extra), ran(5, **extra), ran(3, prompt=0.02, **extra), CAPS)
    assert gap.fixed == pytest.approx(0.01) and gap.each == pytest.approx(1e-3)
    assert gap.prompt == pytest.approx(0.02)
    window = ran(2, reserved=80, **extra)
    found = verdict(window, gap)
    assert found.constraint == (Resource.HOST,)
    assert found.predicted == pytest.approx(window.rate)


def test_steps_with_prompts_are_the_host_s_as_often_as_they_came():
    window = ran(2, reserved=80, prompt=0.02)
    assert verdict(window, Between(prompt=0.02)).predicted == pytest.approx(window.rate)
    assert verdict(window).predicted > 10 * window.rate


def test_rest_is_charged_to_nobody():
    """Half of the time nothing was asked of it."""
    busy = ran(2, reserved=80)
    spent = busy.grown("forward")
    late = replace(busy.last, now=2 * spent)
    waits = Window(busy.first, late)
    assert waits.around == pytest.approx(spent)
    assert verdict(waits).predicted == pytest.approx(busy.rate / 2)
    rests = Window(busy.first, replace(late, totals=late.totals | {"rest": spent}))
    assert rests.around == pytest.approx(0.0, abs=1e-9)
    assert verdict(rests).predicted == pytest.approx(busy.rate)


def test_an_engine_that_waits_for_readers_is_charged_what_its_process_spent():
    """Half of the time it could not go on, and a tenth of what it spent was outside of steps."""
    busy = ran(2, reserved=80)
    spent = busy.grown("forward")
    totals = busy.last.totals | {"cpu": 1.1 * spent, "tell": 0.02 * spent}
    rests = Window(busy.first, replace(busy.last, now=2 * busy.seconds, totals=totals))
    stack = engine_stack(rests, CAPS, Between())
    assert diagnose(stack, CAPS).predicted == pytest.approx(rests.rate), "as if it were work"
    worked = diagnose(at_work(stack, rests, 1), CAPS)
    assert worked.predicted == pytest.approx(busy.rate / 1.1)
    several = diagnose(at_work(stack, rests, 2), CAPS).predicted
    assert several == pytest.approx(busy.rate / 1.02), "other threads' seconds are of steps, too"


def test_kernels_as_fast_as_their_ceilings_leave_nothing_between():
    gap = between(ran(1), ran(5), ran(3, prompt=0.0), CAPS)
    assert [gap.fixed, gap.each, gap.prompt] == pytest.approx([0, 0, 0], abs=1e-9)


def test_a_window_tells_of_batch_queue_and_waste():
    window = ran(4, waiting=20)
    assert (window.batch, window.queue, window.waste) == (4, 20, 0.5)
    assert window.forward == pytest.approx(1.0)
    assert window.device_ms == pytest.approx(0.26)
    assert window.spare == pytest.approx(500 / 10 / 4) and window.around == pytest.approx(0)
    assert window.step == pytest.approx(1.04e-3)


def test_measured_throughput_has_the_spread_of_its_reports():
    first, last = ran(4).first, ran(4).last
    half = replace(last, now=last.now / 2, totals={k: v / 4 for k, v in last.totals.items()})
    found = measured([first, half, last])
    assert found.low < ran(4).rate < found.high


def test_an_engine_is_a_telemetry_source_that_says_so_while_it_has_not_worked():
    source = EngineSource()
    assert all(r.value is None for r in source.read().values())
    window = ran(4, waiting=20)
    source.take(window.first), source.take(window.last)
    seen = source.read()
    assert seen["engine.tokens_per_s"].value == pytest.approx(window.rate)
    assert seen["engine.bytes_per_s"].source == "counted"
    assert seen["engine.kv_reserved_share"].value == 1.0
    names = set(seen)
    source.restart()
    assert set(source.read()) == names and source.read()["engine.batch"].value is None
