"""Frames a second from the moments at which a page drew."""

import pytest

from constraintlab.bench.panel import rates


def even(n, start=0.0, step=100.0):
    return [start + i * step for i in range(n)]


def test_a_stamp_every_100_ms_is_ten_a_second():
    assert rates(even(11)) == [10.0]


def test_the_rate_counts_the_steps_between_the_stamps_not_the_stamps():
    assert rates([0.0, 50.0, 400.0]) == [5.0]  # two steps in 0.4 s


def test_a_pause_begins_the_next_run_and_counts_for_neither():
    assert rates(even(5) + even(9, start=401 + 500, step=50.0)) == [10.0, 20.0]


def test_a_pause_of_just_the_limit_is_still_the_same_run():
    # Eight steps of 100 ms and one of 500 ms: nine in 1.3 s.
    assert rates(even(5) + even(5, start=900)) == pytest.approx([9 / 1.3])


def test_the_limit_can_be_another():
    assert rates([0.0, 100.0, 200.0, 500.0, 600.0, 700.0], gap=250.0) == [10.0, 10.0]


def test_a_run_of_fewer_than_three_stamps_says_nothing():
    lone, pair, run = [0.0], even(2, start=1000), even(3, start=2000)
    assert rates(lone + pair) == []
    assert rates(lone + pair + run) == [10.0]
    assert rates([*run, 4000.0, 4100.0]) == [10.0]


def test_a_page_that_never_drew_has_no_rate():
    assert rates([]) == []
