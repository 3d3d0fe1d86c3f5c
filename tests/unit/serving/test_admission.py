"""Who is let in, and when the others should come again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.serving.admission import LONGEST_WAIT, Gate


def test_slots_and_queue_are_let_in_and_no_more():
    gate = Gate(slots=2, queue=3)
    for _ in range(5):
        assert not gate.full
        gate.enter()
    assert gate.full
    gate.leave(1.0)
    assert not gate.full


def test_retry_after_is_the_queue_over_the_rate_at_which_requests_end():
    gate = Gate(slots=1, queue=9)
    for _ in range(10):
        gate.enter()
    for second in range(5):
        gate.leave(2.0 * second)
    assert gate.rate(8.0) == pytest.approx(0.5)
    assert gate.retry_after(8.0) == pytest.approx(20.0)


def test_before_anything_ended_the_longest_wait_is_said_and_a_quick_server_says_a_second():
    gate = Gate(1, 4)
    assert gate.retry_after(5.0) == LONGEST_WAIT
    for _ in range(3):
        gate.enter()
    for moment in (1.0, 1.001, 1.002):
        gate.leave(moment)
    assert gate.retry_after(1.002) == 1.0
    assert gate.retry_after(1000.0) == LONGEST_WAIT, "nothing has ended for long"


def test_a_queue_of_less_than_nothing_is_refused():
    with pytest.raises(ValueError, match="give 0 or more"):
        Gate(1, -1)


@given(st.lists(st.booleans(), max_size=200), st.integers(1, 5), st.integers(0, 5))
def test_open_requests_stay_within_the_bound(moves, slots, queue):
    gate = Gate(slots, queue)
    for i, comes in enumerate(moves):
        if comes and not gate.full:
            gate.enter()
        elif not comes and gate.open:
            gate.leave(float(i))
        assert 0 <= gate.open <= slots + queue
        assert 1.0 <= gate.retry_after(float(i)) <= LONGEST_WAIT
