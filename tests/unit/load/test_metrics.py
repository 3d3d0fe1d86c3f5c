"""Percentiles are samples, their intervals cover, records and SLOs mean what they say."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.load.histogram import Histogram
from constraintlab.load.metrics import Distribution, percentile, ranks
from constraintlab.load.record import Events, Record
from constraintlab.load.slo import Slo

FLOATS = st.lists(st.floats(0, 1e6), min_size=1, max_size=300)


@given(FLOATS, st.sampled_from([50.0, 90.0, 99.0]))
def test_a_percentile_is_the_smallest_sample_that_p_percent_do_not_exceed(values, p):
    ordered = sorted(values)
    found = percentile(ordered, p)
    n = len(ordered)
    assert sum(v <= found.value for v in ordered) >= n * p / 100 - 1e-9
    below = [v for v in ordered if v < found.value]
    assert len(below) < n * p / 100
    assert found.low is None or found.low <= found.value
    assert found.high is None or found.high >= found.value


@pytest.mark.parametrize(("n", "q"), [(6, 0.5), (100, 0.5), (300, 0.99), (1500, 0.99),
                                      (2500, 0.9)])  # fmt: skip
def test_ninety_five_percent_intervals_cover_the_quantile_that_often(n, q):
    # The interval of n uniform samples holds q when between low and high - 1 samples lie below q.
    low, high = ranks(n, q)
    cover = sum(chance(n, k, q) for k in range(max(low, 0), high))
    assert cover >= 0.948 and (cover <= 0.99 or n < 20)


def chance(n, k, q):
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(ways + k * math.log(q) + (n - k) * math.log(1 - q))


def test_known_ranks():
    # Conover's table for the median: 6 samples reach from the lowest to the highest.
    assert ranks(6, 0.5) == (1, 6)
    assert ranks(5, 0.5) == (0, 6), "five samples do not bound a median at 95%"
    assert ranks(100, 0.5) == (40, 61)


def test_p999_is_withheld_below_a_thousand_samples_and_says_so():
    few, many = Distribution.of(range(999)), Distribution.of(range(1000))
    assert few[99.9] is None and many[99.9] == 998
    assert few.json()["p99.9"] == {"value": None, "withheld": "999 samples, fewer than 1,000"}
    assert Distribution.of([]) is None


@pytest.mark.parametrize("of", [Distribution.of, lambda values: of_histogram(values)])
def test_a_p99_of_a_dozen_samples_is_not_told_but_compares_runs(of):
    dozen = of([float(i) for i in range(1, 13)])
    assert dozen[99] == pytest.approx(12, rel=0.01)
    assert dozen.json()["p99"] == {"value": None, "withheld": "12 samples, fewer than 100"}
    assert dozen.json()["p90"]["value"] == pytest.approx(11, rel=0.01)
    assert of([1.0] * 100).json()["p99"]["value"] == pytest.approx(1.0)


def of_histogram(values):
    found = Histogram()
    for value in values:
        found.add(value)
    return found.distribution()


def test_a_distribution_is_of_its_samples():
    values = [Random(3).random() for _ in range(50)]
    found = Distribution.of(values)
    assert (found.n, found.low, found.high) == (50, min(values), max(values))
    assert found.mean == pytest.approx(sum(values) / 50) and found[50] == sorted(values)[24]


def record(**more):
    events = Events([(1.5, 0, 10), (2.0, 1, 60), (2.5, 3, 80), (4.0, 1, 60), (4.1, 0, 12)])
    return Record(
        **{"index": 0, "scheduled": 0.9, "sent": 1.0, "first": 2.0, "last": 4.0, "events": events,
           "output_tokens": 5, "prompt_tokens": 7, "received": 250} | more
    )  # fmt: skip


def test_a_record_s_times_are_those_of_the_definitions():
    r = record()
    assert r.delay == pytest.approx(0.1)
    assert (r.ttft, r.e2e, r.tpot) == (1.0, 3.0, 0.5)
    assert r.gaps == [0.5, 1.5], "an event without a token is no gap's end"
    assert record(output_tokens=1).tpot is None
    assert record(first=None).ttft is None
    with pytest.raises(ValueError, match="status 'fine' is none of ok"):
        record(status="fine")


@pytest.mark.parametrize(
    ("text", "met"),
    [("ttft=1", True), ("ttft=999ms", False), ("tpot=0.5s", True), ("tpot=0.4", False),
     ("itl=1.5", True), ("itl=1.4", False), ("e2e=3,ttft=1", True), ("e2e=2.9,ttft=1", False)],
)  # fmt: skip
def test_an_slo_is_met_or_not(text, met):
    slo = Slo.parse(text)
    assert slo.met(record()) == met
    assert not slo.met(record(status="cut"))


def test_an_slo_can_be_read_back_and_none_asks_for_nothing():
    assert str(Slo.parse("ttft=500ms, tpot=0.05")) == "ttft ≤ 500 ms, tpot ≤ 50 ms"
    assert not Slo.parse("") and Slo().met(record())


@pytest.mark.parametrize("text", ["ttft", "ttft=fast", "ttft=-1", "p99=1", "ttft=0", "ttft=1m"])
def test_a_wrong_slo_says_how(text):
    with pytest.raises(ValueError, match="give ttft, tpot, itl, e2e like ttft=500ms"):
        Slo.parse(text)
