"""Growth of counters over the last half second."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.telemetry.trail import Trail


def test_the_first_call_has_no_growth():
    assert Trail().growth(1.0, 5.0) is None


def test_before_the_window_is_full_it_is_since_the_first_call():
    trail = Trail(window=0.5)
    trail.growth(1.0, 10.0, 0.0)
    assert trail.growth(1.1, 11.0, 5.0) == (pytest.approx(0.1), [1.0, 5.0])
    assert trail.growth(1.4, 14.0, 5.0) == (pytest.approx(0.4), [4.0, 5.0])


def test_later_it_is_since_about_a_window_ago():
    trail = Trail(window=0.5)
    for tenth in range(20):
        grown = trail.growth(tenth / 10, float(tenth**2))
    seconds, (amount,) = grown
    assert seconds == pytest.approx(0.5, abs=0.1 + 1e-9)
    assert amount == pytest.approx(19**2 - (19 - round(seconds * 10)) ** 2)


def test_after_a_long_gap_it_is_since_the_call_before():
    trail = Trail(window=0.5)
    trail.growth(0.0, 0.0)
    trail.growth(0.1, 1.0)
    assert trail.growth(10.0, 11.0) == (pytest.approx(9.9), [10.0])


def test_a_counter_that_falls_back_has_not_grown():
    trail = Trail()
    trail.growth(0.0, 9.0, 1.0)
    assert trail.growth(1.0, 3.0, 2.0) == (1.0, [0.0, 1.0])


def test_two_calls_at_one_moment_have_no_growth():
    trail = Trail()
    trail.growth(1.0, 1.0)
    assert trail.growth(1.0, 2.0) is None


@given(st.lists(st.floats(0.001, 0.3), min_size=2, max_size=60), st.floats(0, 100))
def test_a_steady_counter_grows_at_its_rate_and_the_trail_stays_short(steps, rate):
    trail, now = Trail(window=0.5), 0.0
    trail.growth(now, 0.0)
    for step in steps:
        now += step
        seconds, (amount,) = trail.growth(now, rate * now)
        assert amount / seconds == pytest.approx(rate, abs=1e-6)
        assert seconds <= max(0.5 + max(steps), now)
        assert seconds >= min(0.5, now) - 1e-9
    assert trail._past[1][0] > now - 0.5 or len(trail._past) == 2
