"""The median's interval: ranks worked by hand from the binomial, and coverage by simulation."""

import math
import random

import pytest

from constraintlab.bench.interval import median_of


def ends(n, confidence=0.95):
    """The ranks at which the interval of n values begins and ends."""
    values = list(range(1, n + 1))
    random.Random(n).shuffle(values)
    made = median_of(values, "×", confidence)
    return made.low, made.high


def test_one_value_is_its_own_interval():
    made = median_of([3.0], "tok/s")
    assert (made.value, made.low, made.high, made.unit) == (3.0, 3.0, 3.0, "tok/s")


def test_two_values_have_their_middle_for_a_median():
    made = median_of([4.0, 1.0], "×")
    assert (made.value, made.low, made.high) == (2.5, 1.0, 4.0)


def test_five_values_can_not_reach_95_percent_and_give_all_they_have():
    # 1 − 2/32 = 0.9375
    made = median_of([5.0, 1.0, 9.0, 3.0, 2.0], "×")
    assert (made.value, made.low, made.high) == (3.0, 1.0, 9.0)


def test_six_values_reach_95_percent_from_the_lowest_to_the_highest():
    # k = 1: 1 − 2/64 = 0.969; k = 2: 1 − 2·7/64 = 0.781
    made = median_of([6.0, 1.0, 9.0, 3.0, 2.0, 4.0], "×")
    assert (made.value, made.low, made.high) == (3.5, 1.0, 9.0)


@pytest.mark.parametrize(
    ("n", "k"),
    [
        (8, 1),  # k = 2: 1 − 2·(1 + 8)/256 = 0.930
        (9, 2),  # k = 2: 1 − 2·(1 + 9)/512 = 0.961
        (15, 4),  # k = 4: 1 − 2·576/32768 = 0.965; k = 5: 1 − 2·1941/32768 = 0.882
        (40, 14),  # Conover's table: from the 14th lowest to the 14th highest
    ],
)
def test_the_interval_is_the_shortest_with_the_coverage(n, k):
    assert ends(n) == (k, n + 1 - k)


def test_more_confidence_is_a_wider_interval():
    # 40 values: P(< 12) = 0.0032, P(< 13) = 0.0083
    assert ends(40, 0.99) == (12, 29)
    # 4 values, k = 2: 1 − 2·5/16 = 0.375
    assert ends(4, 0.3) == (2, 3)


def test_without_values_there_is_no_median():
    with pytest.raises(ValueError, match="at least one value"):
        median_of([], "×")


def test_the_values_given_stay_as_they_were():
    values = [3.0, 1.0, 2.0]
    median_of(values, "×")
    assert values == [3.0, 1.0, 2.0]


def test_skewed_noise_is_covered_as_often_as_promised_and_hardly_more():
    # 15 values: 96.5% by the binomial; 2000 repeats know it to within 0.4% (one sigma).
    draw, hits = random.Random(7), 0
    for _ in range(2000):
        made = median_of([draw.expovariate(1.0) for _ in range(15)], "s")
        hits += made.low <= math.log(2) <= made.high
    assert 0.953 <= hits / 2000 <= 0.977
