"""What a preemption threw away and is computed again, by hand: with another pool, other slots."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.limits.compose import throughput
from constraintlab.limits.recompute import redone
from constraintlab.limits.resource import Resource as R
from constraintlab.limits.room import Room
from constraintlab.limits.shares import elasticity
from constraintlab.limits.stack import Stack, scale
from constraintlab.limits.work import Kernel, Work

from .cases import MEGA, machine

PROMPTS = Kernel("prompts", Work(1e9), again=0.2)


def stack(again, **room):
    """A step of 1 ms of weights; 1 ms of FLOPs for each sequence's prompts, so much of it again."""
    kernels = Kernel("weights", fixed=Work(0, MEGA)), Kernel("prompts", Work(1e9), again=again)
    return Stack(kernels, population=math.inf, **room)


def test_a_smaller_pool_throws_more_away():
    # always short: 0.8 of the places, and a fifth was done again: 0.8 + 0.2 · 1.25
    (found,) = redone([PROMPTS], Room(math.inf, 10), Room(math.inf, 8))
    assert found.each.flops == pytest.approx(1.05e9)
    assert found.again == pytest.approx(0.25 / 1.05)


def test_a_pool_that_is_never_short_throws_nothing_away():
    (found,) = redone([PROMPTS], Room(math.inf, 10), Room(10, math.inf))
    assert found.again == 0 and found.each.flops == pytest.approx(0.8e9)
    often = Kernel("more", fixed=Work(1e9), often=0.1, onto="products", again=0.2)
    (found,) = redone([often], Room(20, 10), Room(5, 10))
    assert found.often == pytest.approx(0.08) and found.fixed == often.fixed


def test_what_was_not_counted_is_not_invented():
    once = Kernel("prompts", Work(1e9))
    assert redone([once], Room(20, 10), Room(20, 5)) == (once,)
    assert redone([PROMPTS], Room(10, 20), Room(10, 5)) == (PROMPTS,), "nothing said how often"


def test_fewer_slots_may_give_more_where_the_pool_is_short():
    # compute-bound, slots and pool bind in turn: room is worth nothing, recomputation costs
    tight = stack(0.3, slots=12, kv_room=12, kv_spread=0.2)
    assert elasticity(tight, machine(), R.SLOTS) < elasticity(stack(0.0, slots=12, kv_room=12,
                      kv_spread=0.2), machine(), R.SLOTS)  # fmt: skip
    assert elasticity(tight, machine(), R.KV_CAPACITY) > elasticity(
        stack(0.0, slots=12, kv_room=12, kv_spread=0.2), machine(), R.KV_CAPACITY
    )


@given(st.floats(0.01, 0.9), st.floats(2, 60), st.floats(2, 60), st.floats(0, 0.3), st.floats(1, 4))
def test_a_larger_pool_never_makes_less(again, slots, kv, spread, factor):
    now = stack(again, slots=slots, kv_room=kv, kv_spread=spread)
    more = scale(now, machine(), R.KV_CAPACITY, factor)
    assert throughput(*more) >= throughput(now, machine()) * (1 - 1e-9)
    for kernel in more[0].kernels:
        assert 0 <= kernel.again <= 1


@pytest.mark.parametrize(
    "wrong", [{"again": 1.5}, {"again": 0.1, "fixed": Work(1.0)}], ids=["share", "what all share"]
)
def test_work_that_can_not_be_done_again_is_refused(wrong):
    with pytest.raises(ValueError, match="again="):
        Kernel("prompts", **wrong)
