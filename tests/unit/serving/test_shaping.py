"""The link's arithmetic on a clock of our own: no byte lost, and never more than the rate."""

import math
from itertools import accumulate
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from constraintlab.serving.shaping import FLIGHT, PACKET, Bucket, Line, Shared

RATES = st.floats(1.0, 1e7)
STEPS = st.lists(st.floats(0.0, 2.0) | st.floats(0.0, 0.01), min_size=1, max_size=40)


def over(takes, rate, burst):
    """The worst excess, in bytes, over burst + rate · t of any window of (time, bytes) takes."""
    upto = [0, *accumulate(n for _, n in takes)]
    return max(
        upto[j + 1] - upto[i] - burst - rate * (takes[j][0] - takes[i][0])
        for i in range(len(takes))
        for j in range(i, len(takes))
    )


@given(RATES, STEPS)
def test_a_bucket_never_gives_more_than_its_burst_and_rate_in_any_window(rate, steps):
    bucket, takes, now = Bucket(rate), [], 0.0
    for step in steps:
        now += step
        n = bucket.available(now)
        bucket.take(n, now)
        takes.append((now, n))
    assert over(takes, rate, bucket.burst) <= 1e-6 * (1 + rate)


@given(RATES, st.floats(0, 100), st.floats(0, 1))
def test_a_bucket_says_when_and_keeps_its_word(rate, now, part):
    bucket = Bucket(rate)
    bucket.take(bucket.available(now), now)
    n = part * bucket.burst
    later = bucket.when(n, now)
    assert bucket.available(later) >= n - 1e-5 * (1 + rate)
    assert later - now == pytest.approx(n / rate, abs=1e-6)


@given(RATES, RATES | st.just(0.0) | st.none())
def test_a_new_rate_gives_no_second_burst(before, after):
    bucket = Bucket(before)
    had = bucket.available(1.0)
    bucket.set(after, 1.0)
    if after is not None:
        assert bucket.available(1.0) <= min(had, bucket.burst) + 1e-9
        bucket.set(None, 1.0)
        bucket.set(after, 1.0)
        assert bucket.available(1.0) == 0, "what was unlimited leaves nothing behind"


def test_no_limit_and_no_passage():
    assert Bucket(None).available(0) == math.inf
    assert Bucket(0.0).available(1e9) == 0 and Bucket(0.0).when(1, 5.0) == math.inf
    for wrong in (-1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="give bytes/s"):
            Bucket(wrong)


PUTS = st.lists(
    st.tuples(st.floats(0, 0.3), st.integers(0, 3), st.integers(1, 9000)), min_size=1, max_size=30
)


def simulate(puts, rate, own, delay, jitter, cut=None, seed=0):
    """Puts of (pause, line, bytes) through four lines: (given, got, takes on the link)."""
    random = Random(seed)
    shared = Shared(0.0, lambda: random.uniform(0, jitter))
    shared.bucket.set(rate, 0.0)
    lines = [Line(4096) for _ in range(4)]
    for line, r in zip(lines, own, strict=True):
        line.own.set(r, 0.0)
        line.cut_after = cut
    given_, got = [bytearray() for _ in lines], [bytearray() for _ in lines]
    arrivals = list(accumulate(pause for pause, _, _ in puts))
    takes, now, left = [], 0.0, list(zip(arrivals, puts, strict=True))
    for _ in range(100_000):
        while left and left[0][0] <= now:
            _, (_, i, n) = left.pop(0)
            data = random.randbytes(n)
            given_[i] += data
            if not lines[i].cut:
                lines[i].put(data)
        before = sum(line.passed for line in lines)
        wake = shared.step(lines, now)
        takes.append((now, sum(line.passed for line in lines) - before))
        for line, out in zip(lines, got, strict=True):
            for piece in line.arrive(now, delay, 1 << 30):
                out += piece
        wake = min([wake, *(line.due(delay) for line in lines), *(t for t, _ in left[:1])])
        if wake == math.inf:
            break
        assert wake > now - 1e-12
        now = max(wake, math.nextafter(now, math.inf))
    else:
        pytest.fail("the link never comes to rest")
    return given_, got, takes, lines


@given(
    PUTS,
    st.none() | st.floats(2e3, 1e6),
    st.tuples(*[st.none() | st.floats(2e3, 1e6)] * 4),
    st.sampled_from([0.0, 0.05]),
    st.sampled_from([0.0, 0.1]),
)
@example([(0.0, 0, 9000), (0.0, 1, 9000)], 2e3, (None,) * 4, 0.0, 0.0)
def test_every_byte_comes_out_once_in_order_and_the_rate_holds(puts, rate, own, delay, jitter):
    put, got, takes, lines = simulate(puts, rate, own, delay, jitter)
    assert put == got
    assert all(line.empty for line in lines)
    if rate is not None:
        assert over(takes, rate, Bucket(rate).burst) <= 1e-6 * rate + 1


@given(PUTS, st.integers(1, 12_000), st.none() | st.floats(2e3, 1e6))
def test_a_cut_lets_exactly_the_bytes_before_it_through(puts, cut, rate):
    put, got, _, lines = simulate(puts, rate, (None,) * 4, 0.01, 0.0, cut)
    for before, after, line in zip(put, got, lines, strict=True):
        assert after == before[:cut]
        assert line.cut == (len(before) >= cut)


@given(st.floats(1e4, 1e6), st.lists(st.integers(20_000, 60_000), min_size=2, max_size=6))
def test_lines_that_wait_share_the_link_evenly(rate, sizes):
    shared, lines = Shared(0.0), [Line(4096) for _ in sizes]
    shared.bucket.set(rate, 0.0)
    for line, n in zip(lines, sizes, strict=True):
        line.put(bytes(n))
    now = 0.0
    while all(line.waiting for line in lines):
        now = shared.step(lines, now)
        passed = [line.passed for line in lines if line.waiting]
        assert not passed or max(passed) - min(passed) <= 2 * max(PACKET, shared.bucket.burst)
    assert now == pytest.approx(sum(line.passed for line in lines) / rate, rel=0.2)


def test_a_shorter_delay_acts_on_what_flies_and_order_stays():
    line = Line(4096)
    line.put(b"first")
    line.enter(5, 0.0, jitter=0.5)
    line.put(b"second")
    line.enter(6, 0.1)
    assert line.due(1.0) == 1.5 and line.due(0.0) == 0.5
    assert line.arrive(0.4, 0.0, 100) == []
    assert b"".join(line.arrive(0.6, 0.0, 100)) == b"firstsecond"


def test_what_flies_is_bounded_too():
    line = Line(4096)
    line.put(bytes(FLIGHT + 10))
    line.enter(line.ready(0.0), 0.0)
    assert line.ready(0.0) == 0 and line.waiting == 10 and line.wake(0.0) == math.inf
