"""Arrivals: the rate and the burstiness asked for, equal for equal seeds, and a pace to change."""

import statistics
from itertools import islice, pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.load.arrivals import Gamma, Poisson, Replay, Uniform, named
from constraintlab.load.pace import Pace


def gaps(arrivals, n=20_000, seed=1):
    times = [0.0, *islice(arrivals.times(Random(seed)), n)]
    return [b - a for a, b in pairwise(times)]


@pytest.mark.parametrize(
    ("arrivals", "cv"), [(Poisson(5), 1.0), (Gamma(5, 1.0), 1.0), (Gamma(5, 4.0), 4.0),
                         (Gamma(5, 0.3), 0.3), (Uniform(5), 0.0)],
)  # fmt: skip
def test_gaps_have_the_mean_and_the_cv_asked_for(arrivals, cv):
    found = gaps(arrivals)
    assert statistics.mean(found) == pytest.approx(0.2, rel=0.1 if cv > 2 else 0.03)
    assert statistics.stdev(found) / 0.2 == pytest.approx(cv, rel=0.1, abs=0.02)


@pytest.mark.parametrize("arrivals", [Poisson(3), Gamma(3, 6), Replay((0, 1, 1, 5), 9, spread=2)])
def test_equal_seeds_give_equal_times_and_others_do_not(arrivals):
    def drawn(seed):
        return list(islice(arrivals.times(Random(seed)), 50))

    assert drawn(1) == drawn(1) != drawn(2)
    assert all(a <= b for a, b in pairwise(drawn(1)))


def test_a_trace_keeps_its_gaps_and_can_be_squeezed():
    moments = (10.0, 11.0, 15.0)
    assert list(Replay(moments).times(Random(0))) == [0, 1, 5]
    assert Replay(moments).own_rate == pytest.approx(0.4)
    assert list(Replay(moments, rate=4.0).times(Random(0))) == pytest.approx([0, 0.1, 0.5])


def test_a_rounded_trace_is_spread_within_its_rounding():
    times = list(Replay((0.0,) * 200 + (3.0,) * 200, spread=3.0).times(Random(5)))
    assert times[0] == 0 and 5.5 < times[-1] < 6
    assert len(set(times)) == 400
    assert sum(t < 3 for t in times) == pytest.approx(200, abs=5)


@pytest.mark.parametrize(
    ("text", "found"),
    [("poisson", Poisson(2)), ("uniform", Uniform(2)), ("gamma:2.5", Gamma(2, 2.5))],
)
def test_arrivals_have_names(text, found):
    assert named(text, 2) == found


@pytest.mark.parametrize("text", ["", "gamma", "gamma:x", "gamma:0", "poisson:2", "burst"])
def test_other_names_are_errors_that_list_them(text):
    with pytest.raises(ValueError, match=f"arrivals '{text}'|arrivals ''"):
        named(text, 2)


IMPOSSIBLE = [
    lambda: Poisson(0),
    lambda: Gamma(1, -1),
    lambda: Uniform(float("inf")),
    lambda: Replay((1.0,)),
    lambda: Replay((1.0, 1.0)),
    lambda: Replay((0.0, 1.0), 0.0),
]


@pytest.mark.parametrize("make", IMPOSSIBLE)
def test_impossible_arrivals_are_errors(make):
    with pytest.raises(ValueError, match=r"above 0|two moments"):
        make()


@given(st.lists(st.tuples(st.floats(0.01, 10), st.floats(0, 10)), max_size=8),
       st.floats(0, 100))  # fmt: skip
def test_a_pace_that_changes_neither_jumps_nor_repeats(changes, at):
    pace, now = Pace(), 0.0
    for wait, factor in changes:
        now += wait
        before = pace.passed(now)
        pace.set(factor, now)
        assert pace.passed(now) == pytest.approx(before)
    due = pace.due(at)
    if due > now and due != float("inf"):
        assert pace.passed(due) == pytest.approx(at, abs=1e-6)


def test_a_pace_doubles_and_holds():
    pace = Pace()
    pace.set(2.0, 10.0)
    assert pace.due(30.0) == 20.0
    pace.set(0.0, 12.0)
    assert pace.due(30.0) == float("inf") and pace.passed(99.0) == 14.0
    with pytest.raises(ValueError, match="rate factor -1"):
        pace.set(-1, 13.0)
