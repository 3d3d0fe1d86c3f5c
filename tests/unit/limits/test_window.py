"""How much is unread when an answer's last token is drawn, held against tokens drawn one by one."""

import math
from random import Random
from statistics import fmean

import pytest

from constraintlab.limits.answers import Answers, Read
from constraintlab.limits.compose import slowest
from constraintlab.limits.resource import Resource as R
from constraintlab.limits.shares import elasticity
from constraintlab.limits.stack import Stack
from constraintlab.limits.window import unread
from constraintlab.limits.work import Kernel, Work

from .cases import MEGA, machine


def drawn(tokens, pace, window, varies, random):
    """Readings until the last token is drawn: a step takes `pace` of a reading, half as much more
    or less, and one answer's pace varies from the next one's; the window as in `Tandem`."""
    at, read, under = 0.0, 0.0, []
    pace *= random.gauss(1, varies)
    for drawn in range(tokens):
        under = [t for t in under if t > at]
        if drawn and len(under) >= window:
            half = under[len(under) - window // 2 - 1]
            at += math.ceil((half - at) / pace) * pace
        at += pace
        read = max(read, at) + 1
        under.append(read)
    return at


@pytest.mark.parametrize("window", [16, 32])
@pytest.mark.parametrize("pace", [0.15, 0.3])
@pytest.mark.parametrize("tokens", [20, 28, 40, 60, 100])
def test_it_is_where_in_the_window_s_cycle_the_answer_ends(tokens, pace, window):
    random = Random(f"{tokens} {pace} {window}")
    found = fmean(drawn(tokens, pace, window, 0.05, random) for _ in range(200))
    told = max(tokens * pace, pace + tokens - unread(tokens, pace, window, 0.05))
    assert told == pytest.approx(found, abs=0.06 * tokens)


def test_three_quarters_are_unread_of_what_comes_from_far_and_all_before_the_first_hold():
    assert unread(1000, 0.2, 32, 0.5) == pytest.approx(24, abs=0.5)
    assert unread(10, 0.2, 32, 0.1) == pytest.approx(31.5, abs=0.01)
    assert unread(10, 1.5, 32, 0.1) == 32, "a stream that is slower than its reader is never held"


def test_a_longer_answer_that_ends_after_a_hold_keeps_its_place_for_half_a_window_more():
    # at a tenth of a reading a token the first 16 are full after 17 or so: there half is read first
    few, many = (
        Answers((Read(1.0, 1.0, ((tokens, 1.0),)),), window=16, varies=0.01).x(0.1, 1, math.inf)
        for tokens in (15.0, 20.0)
    )
    assert few == pytest.approx(15 / 1.5, rel=0.01)
    assert many == pytest.approx(20 / (1.8 + 8), rel=0.2)


def test_a_user_is_in_no_step_that_began_before_the_last_token_was_read():
    # 40 tokens at 5 ms a step, read at once but 2 ms later: 5 users miss a step each time
    found = Answers((Read(1.0, math.inf, ((40.0, 1.0),)),), delay=0.002)
    assert found.x(0.005, 9, 5) == pytest.approx(5 * 40 / 0.205)
    # 12 ms later they miss 14.5 ms, half a step being under way when they ask
    late = Answers((Read(1.0, math.inf, ((40.0, 1.0),)),), delay=0.012)
    assert late.x(0.005, 9, 5) == pytest.approx(5 * 40 / 0.2145)
    assert found.x(0.005, 4, 99) == pytest.approx(4 / 0.005), "a queue fills the places meanwhile"


@pytest.mark.parametrize("tokens", [22.0, 30.0, 36.0, 40.0, 44.0])
def test_what_readers_hold_back_is_what_a_fifth_slower_readers_would_wherever_the_cycle_is(tokens):
    # steps of 1 ms, whoever shares them: nothing but places and readers
    read = Answers((Read(1.0, 400.0, ((tokens, 1.0),)),), window=16, varies=0.02)
    stack = Stack(
        (Kernel("weights", fixed=Work(0, MEGA)),), slots=8, population=math.inf, answers=read
    )
    buys = elasticity(stack, machine(), R.CLIENT, 0.2)
    part = slowest(stack, machine())
    assert part.client == pytest.approx(min(1, buys), abs=1e-3), "a share is no more than all"
