"""Percentiles from buckets: as near to the samples' own as promised, whatever the samples are."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.load.histogram import Histogram
from constraintlab.load.metrics import Distribution

SAMPLES = st.lists(st.floats(1e-5, 1e6), min_size=1, max_size=300)


@given(samples=SAMPLES, error=st.sampled_from([0.002, 0.01, 0.05]))
def test_every_percentile_is_within_the_error_of_the_samples_own(samples, error):
    kept = Histogram(error)
    for value in samples:
        kept.add(value)
    ordered = sorted(samples)
    for r in range(1, len(samples) + 1):
        assert kept.rank(r) == pytest.approx(ordered[r - 1], rel=error * 1.001)


def test_it_says_what_a_distribution_of_the_samples_says():
    random = Random(1)
    samples = [math.exp(random.gauss(0, 2)) for _ in range(5000)]
    kept, exact = Histogram(), Distribution.of(samples)
    for value in samples:
        kept.add(value)
    found = kept.distribution()
    assert (found.n, found.low, found.high) == (exact.n, exact.low, exact.high)
    assert found.mean == pytest.approx(exact.mean)
    for ours, theirs in zip(found.percentiles, exact.percentiles, strict=True):
        for name in ("value", "low", "high"):
            value = getattr(theirs, name)
            assert getattr(ours, name) == (value and pytest.approx(value, rel=0.005)), name


def test_too_few_samples_withhold_the_last_percentile_and_none_give_none():
    kept = Histogram()
    assert kept.distribution() is None
    for i in range(999):
        kept.add(i)
    assert kept.distribution()[99.9] is None and kept.distribution()[50] == pytest.approx(499, 0.01)
    kept.add(999)
    assert kept.distribution()[99.9] is not None


def test_what_lies_outside_is_counted_at_the_ends_and_the_memory_stays():
    kept = Histogram(0.01, low=1.0, high=10.0)
    size = len(kept._counts)
    for value in (0.0, 0.5, 5.0, 50.0):
        kept.add(value)
    assert kept.n == 4 and len(kept._counts) == size < 200
    assert kept.rank(1) == 1.0 and kept.rank(4) >= 10.0 * 0.99 and kept.most == 50.0


@pytest.mark.parametrize("wrong", [{"error": 0}, {"error": 1}, {"low": 0}, {"low": 2, "high": 1}])
def test_limits_that_make_no_buckets_are_refused(wrong):
    with pytest.raises(ValueError, match="give 0 < error < 1"):
        Histogram(**wrong)
