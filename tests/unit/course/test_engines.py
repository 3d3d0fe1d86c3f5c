"""Reports of an engine as a stack: what binds in runs whose answer is known."""

from dataclasses import replace

import pytest

from constraintlab.course.engine_source import EngineSource
from constraintlab.course.engines import Window, dispatch, engine_stack, kernels, measured
from constraintlab.engine.report import TOTALS, Counted, Report
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


def ran(n, steps=1000, *, waiting=0, reserved=None, slots=8, gap=0.0):
    """A window of `steps` decode steps of n sequences, each as long as its bytes take."""
    took = steps * ((FIXED_BYTES + n * OWN_BYTES) / 1e10 + gap)
    reserved = 1000 if reserved is None else reserved
    totals = NOTHING.totals | {
        "steps": steps, "tokens": n * steps, "decodes": n * steps, "sequences": n * steps,
        "forward": took, "kv_seconds": reserved * took, "resident_seconds": n * took,
        "waiting_seconds": waiting * took, "counted_steps": steps / 10,
        "counted_sequences": n * steps / 10,
    }  # fmt: skip
    work = {
        "layers": Counted("float32", 0, FIXED_BYTES * steps / 10, 0, n * OWN_BYTES * steps / 10)
    }
    last = replace(
        NOTHING, now=took, totals=totals, waiting=waiting, running=n, slots=slots,
        kv=(1000, reserved, reserved // 2), work=work,
    )  # fmt: skip
    return Window(NOTHING, last)


def verdict(window, gap=0.0):
    return diagnose(engine_stack(window, CAPS, gap), CAPS)


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


def test_what_lies_between_kernels_is_host_and_comes_from_one_sequence_alone():
    gap = dispatch(ran(1, gap=0.01), CAPS)
    assert gap == pytest.approx(0.01)
    window = ran(2, reserved=80, gap=0.01)
    found = verdict(window, gap)
    assert found.constraint == (Resource.HOST,)
    assert found.predicted == pytest.approx(window.rate)
    assert dispatch(ran(1), CAPS) == pytest.approx(0.0, abs=1e-9)


def test_a_window_tells_of_batch_queue_and_waste():
    window = ran(4, waiting=20)
    assert (window.batch, window.queue, window.waste) == (4, 20, 0.5)
    assert window.forward == pytest.approx(1.0)
    assert window.device_ms == pytest.approx(0.26)


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
