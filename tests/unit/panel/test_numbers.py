"""Numbers for a person: three digits and a prefix, words for what is no number."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.panel.numbers import finite, percent, si, times


@pytest.mark.parametrize("value", [0, -1.5, 1e300, 5e-324])
def test_a_number_that_can_be_drawn_is_finite(value):
    assert finite(value) is True


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_what_can_not_be_drawn_is_not_finite(value):
    assert finite(value) is False


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (9090, "tok/s", "9.09 k tok/s"),
        (203, "tok/s", "203 tok/s"),
        (22e9, "B/s", "22.0 GB/s"),
        (1.2e11, "FLOP/s", "120 GFLOP/s"),
        (0.0042, "s", "4.20 ms"),
        (3.2e-5, "s", "32.0 µs"),
        (2e-9, "s", "2.00 ns"),
        (90, "s", "90 s"),
        (12_300, "1/s", "12.3 k/s"),
        (203e3, "queries/s", "203 k queries/s"),
        (0.25, "tok/s", "250 m tok/s"),
        (12_300, "", "12.3 k"),
        (7, "", "7"),
    ],
)
def test_a_unit_with_a_symbol_takes_the_prefix_and_a_count_keeps_it_apart(value, unit, text):
    assert si(value, unit) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (999.4, "999"),
        (999.6, "1.00 k"),
        (999_600, "1.00 M"),
        (9.994, "9.99"),
        (9.996, "10.0"),
        (99.94, "99.9"),
        (99.96, "100"),
        (1.5, "1.50"),
        (100, "100"),
    ],
)
def test_three_digits_stay_three_where_rounding_adds_one(value, text):
    assert si(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(-203, "-203"), (-999.6, "-1.00 k"), (-2e9, "-2.00 G")]
)
def test_a_negative_number_reads_like_the_positive_one(value, text):
    assert si(value) == text


@pytest.mark.parametrize("value", [0, 0.0, -0.0, 1e-12, -1e-12])
def test_nothing_to_speak_of_is_0(value):
    assert si(value, "B/s") == "0 B/s"


@pytest.mark.parametrize(
    ("value", "text"), [(1e15, "1.00 PB/s"), (1e18, "1000 PB/s"), (2e20, "2.00e+05 PB/s")]
)
def test_past_the_largest_prefix_digits_then_powers_of_ten(value, text):
    assert si(value, "B/s") == text


@pytest.mark.parametrize("write", [si, times, percent])
@pytest.mark.parametrize("value", [None, math.nan, -math.inf])
def test_what_is_no_number_is_not_available(write, value):
    assert write(value) == "n/a"


def test_without_limit_is_a_word():
    assert si(math.inf, "tok/s") == times(math.inf) == "unbounded"
    assert percent(math.inf) == "n/a"


@pytest.mark.parametrize(
    ("factor", "text"),
    [
        (2.8, "×2.8"),
        (1.24, "×1.2"),
        (1.1, "×1.1"),
        (1.04, "×1.04"),
        (1, "×1.00"),
        (0.95, "×0.95"),
        (0.5, "×0.5"),
        (99.4, "×99.4"),
        (140, "×140"),
        (1500, "×1.50 k"),
    ],
)
def test_a_factor_has_two_decimals_only_where_one_would_say_nothing(factor, text):
    assert times(factor) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0%"),
        (0.078, "7.8%"),
        (0.0994, "9.9%"),
        (0.0996, "10%"),
        (0.96, "96%"),
        (1.4, "140%"),
        (0.001, "0.1%"),
        (0.0004, "under 0.1%"),
        (-0.05, "-5.0%"),
    ],
)
def test_a_share_has_a_decimal_below_ten_percent_only(share, text):
    assert percent(share) == text


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=1e-8, max_value=9e17))
def test_what_is_written_is_the_number_to_three_digits(value):
    digits, _, prefix = si(value).partition(" ")
    factor = dict(zip("PTGMkmµn", (1e15, 1e12, 1e9, 1e6, 1e3, 1e-3, 1e-6, 1e-9), strict=True))
    assert float(digits) * factor.get(prefix, 1) == pytest.approx(value, rel=5.001e-3)
    assert len(digits.replace(".", "")) <= 3
