"""Lab 06's exercise: the reference against its definition, and answers that are nearly right."""

import math
from statistics import fmean

from hypothesis import given
from hypothesis import strategies as st

from constraintlab.course.check import check
from constraintlab.course.exercises_streaming import MOST, interval, p99, waits

GAP = st.integers(1, 100).map(lambda n: n / 1024)  # so that sums are exact in any order
GAPS = st.lists(st.lists(GAP, min_size=2, max_size=80), min_size=1, max_size=4)


def one_after_the_other(answers, target):
    """By the definition, slice by slice."""
    best = 1
    for k in range(2, MOST + 1):
        found = [math.fsum(g[i : i + k]) for g in answers for i in range(len(g) - k + 1)]
        found.sort()
        if found and found[math.ceil(0.99 * len(found)) - 1] <= target:
            best = k
    return best


@given(answers=GAPS, target=st.floats(0.005, 2.0))
def test_the_reference_is_its_definition(answers, target):
    assert interval(answers, target) == one_after_the_other(answers, target)


def test_waits_are_sums_of_gaps_in_a_row():
    assert waits([[1, 2, 4], [8]], 2) == [3, 6] and waits([[1, 2, 4], [8]], 4) == []
    assert p99(range(1, 201)) == 198 and p99([5]) == 5


def test_what_is_nearly_right_is_told_what_it_overlooks():
    def mean(answers, target):
        return max(1, int(target / fmean(gap for gaps in answers for gap in gaps)))

    def worst(answers, target):
        return max(1, int(target / p99([gap for gaps in answers for gap in gaps])))

    assert "meets it on average" in check("06.interval", mean).message
    assert "every gap is a bad one" in check("06.interval", worst).message
    assert "longer than that" in check("06.interval", lambda a, t: MOST).message


def test_the_right_one_is_right_and_so_is_who_stops_at_the_first_that_fails():
    assert check("06.interval", interval).ok

    def first(answers, target):
        k = 1
        while k < MOST and (found := waits(answers, k + 1)) and p99(found) <= target:
            k += 1
        return k

    assert check("06.interval", first).ok
