"""Counted work as rates: cases worked by hand, and what holds for any timetable."""

import threading
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constraintlab.telemetry.work import BUCKET, WorkCounter
from tests.unit.telemetry.fakes import Clock


@dataclass(frozen=True)
class Done:
    flops: float = 0.0
    bytes: float = 0.0
    fresh: float = 0.0


@pytest.fixture
def clock():
    return Clock(500.0)


@pytest.fixture
def counter(clock):
    return WorkCounter(window=2.0, hold=4.0, clock=clock)


def rates(counter):
    return {name.removeprefix("work."): r.value for name, r in counter.read().items()}


def test_one_second_of_work_in_a_window_of_two(counter, clock):
    clock.now += 1.0
    with counter.busy(Done(flops=100.0, bytes=40.0, fresh=8.0), tokens=10):
        clock.now += 1.0
    assert rates(counter) == {
        "flops_per_s": pytest.approx(50),
        "bytes_per_s": pytest.approx(20),
        "fresh_bytes_per_s": pytest.approx(4),
        "tokens_per_s": pytest.approx(5),
        "busy_share": pytest.approx(0.5),
    }
    assert {r.source for n, r in counter.read().items() if n != "work.busy_share"} == {"counted"}
    assert counter.read()["work.busy_share"].source == "measured"


def test_work_leaves_the_window_as_evenly_as_it_was_done(counter, clock):
    clock.now += 1.0
    counter_at = {}
    with counter.busy(Done(flops=100.0)):
        clock.now += 1.0
    for later in (0.5, 1.0, 1.5, 2.0, 9.0):
        clock.now = 502.0 + later
        counter_at[later] = rates(counter)["flops_per_s"]
    assert counter_at == pytest.approx({0.5: 50, 1.0: 50, 1.5: 25, 2.0: 0, 9.0: 0})


def test_while_an_operation_runs_the_rate_stays_what_is_known(counter, clock):
    with counter.busy(Done(flops=300.0)):
        clock.now += 3.0
    operation = counter.begin()
    for _ in range(4):
        clock.now += 0.999
        assert rates(counter)["flops_per_s"] == pytest.approx(100)
        assert rates(counter)["busy_share"] == pytest.approx(1)
    clock.now += 0.1
    readings = counter.read()
    assert "has run for over 4 s" in readings["work.flops_per_s"].source
    assert readings["work.busy_share"].value == pytest.approx(1)
    counter.end(operation, Done(flops=409.6))
    assert rates(counter)["flops_per_s"] == pytest.approx(100)


def test_an_operation_longer_than_all_that_is_remembered(counter, clock):
    with counter.busy(Done(flops=1000.0)):
        clock.now += 100.0
    assert rates(counter)["flops_per_s"] == pytest.approx(10)
    assert counter.totals.flops == 1000.0


def test_before_anything_is_known(counter, clock):
    counter.begin()
    clock.now += 1.0
    assert counter.read()["work.flops_per_s"].source == "n/a: no operation has ended yet"
    fresh = WorkCounter(clock=clock).read()
    assert fresh["work.busy_share"].source == "n/a: the counter has only just started"


def test_a_restart_forgets_the_idle_time_before_a_run(counter, clock):
    with counter.busy(Done(flops=900.0)):
        clock.now += 1.0
    clock.now += 10.0
    counter.restart()
    assert counter.read()["work.flops_per_s"].source == "n/a: no operation has ended yet"
    with counter.busy(Done(flops=50.0)):
        clock.now += 0.5
    assert rates(counter)["flops_per_s"] == pytest.approx(100)
    assert rates(counter)["busy_share"] == pytest.approx(1)
    assert counter.totals.flops == 950


def test_an_operation_that_runs_through_a_restart_counts_from_there(counter, clock):
    clock.now += 3.0
    operation = counter.begin()
    clock.now += 1.0
    counter.restart()
    clock.now += 0.5
    assert rates(counter)["busy_share"] == pytest.approx(1)
    clock.now += 0.5
    counter.end(operation, Done(flops=200.0))
    assert rates(counter)["flops_per_s"] == pytest.approx(100)
    assert rates(counter)["busy_share"] == pytest.approx(1)


def test_what_fails_is_busy_but_not_done(counter, clock):
    clock.now += 1.0
    with pytest.raises(ZeroDivisionError), counter.busy(Done(flops=100.0), tokens=3):
        clock.now += 1.0
        raise ZeroDivisionError
    assert (counter.totals.flops, counter.totals.tokens) == (0, 0)
    assert rates(counter)["busy_share"] == pytest.approx(0.5)


def test_two_at_once_are_busy_once(counter, clock):
    first = counter.begin()
    clock.now += 1.0
    second = counter.begin()
    clock.now += 1.0
    assert counter.end(first, Done(flops=200.0)) == 2.0
    clock.now += 1.0
    assert counter.end(second, Done(flops=200.0)) == 2.0
    clock.now += 1.0
    assert counter.totals.busy == pytest.approx(3)
    # Of the last two seconds one was idle; in the other only the second ran.
    assert rates(counter)["busy_share"] == pytest.approx(0.5)
    assert rates(counter)["flops_per_s"] == pytest.approx(50)


def test_ending_twice_names_the_mistake(counter):
    operation = counter.begin()
    counter.end(operation)
    with pytest.raises(ValueError, match=r"call end\(\) once per begin\(\)"):
        counter.end(operation)


def test_add_takes_what_was_timed_elsewhere(counter, clock):
    clock.now += 2.0
    counter.add(Done(bytes=30.0), tokens=6, seconds=1.5)
    assert rates(counter)["bytes_per_s"] == pytest.approx(15)
    clock.now += 1.0
    assert rates(counter)["tokens_per_s"] == pytest.approx(2)
    counter.add(None, tokens=1)
    assert counter.totals.tokens == 7


@pytest.mark.parametrize("kwargs", [{"window": 0.0}, {"window": BUCKET}, {"hold": -1.0}])
def test_windows_that_make_no_sense(kwargs):
    with pytest.raises(ValueError, match="window must be at least"):
        WorkCounter(**kwargs)


STEPS = st.lists(
    st.tuples(st.floats(0, 3), st.floats(0, 3), st.floats(0, 1e12)), min_size=1, max_size=30
)


@settings(max_examples=80, deadline=None)
@given(STEPS)
def test_what_is_credited_adds_up_to_the_totals(steps):
    """With a window over all of it, rate × seconds is everything that was ever credited."""
    clock = Clock(7.0)
    counter = WorkCounter(window=200.0, hold=4.0, clock=clock)
    busy = 0.0
    for idle, seconds, flops in steps:
        clock.now += idle
        with counter.busy(Done(flops=flops)):
            clock.now += seconds
            busy += seconds
    clock.now += 2 * BUCKET
    got, elapsed = rates(counter), clock.now - 7.0
    assert counter.totals.flops == pytest.approx(sum(f for _, _, f in steps))
    assert counter.totals.busy == pytest.approx(busy)
    assert got["flops_per_s"] * elapsed == pytest.approx(counter.totals.flops, rel=1e-9, abs=1e-6)
    assert got["busy_share"] * elapsed == pytest.approx(busy, abs=1e-6)


@settings(max_examples=80, deadline=None)
@given(
    st.floats(1.0, 1e12),
    st.lists(st.floats(0.001, 3.5), min_size=1, max_size=40),
    st.floats(0, 3.5),
)
def test_steady_work_has_its_true_rate_whatever_the_operations_lengths(rate, lengths, into):
    clock = Clock(3.0)
    counter = WorkCounter(clock=clock)
    for seconds in lengths:
        operation = counter.begin()
        clock.now += seconds
        counter.end(operation, Done(flops=rate * seconds))
        read = counter.read()["work.flops_per_s"]
        if clock.now - 3.0 > BUCKET:
            assert read.value == pytest.approx(rate, rel=1e-6)
    counter.begin()
    clock.now += into
    read = counter.read()["work.flops_per_s"]
    if sum(lengths) > BUCKET * 1.001:
        assert read.value == pytest.approx(rate, rel=1e-6)


def test_threads_lose_nothing():
    counter = WorkCounter()

    def work():
        for _ in range(500):
            with counter.busy(Done(flops=1.0), tokens=1):
                pass
            counter.read()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (counter.totals.flops, counter.totals.tokens) == (2000, 2000)
