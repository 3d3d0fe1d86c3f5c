"""Interleaved rounds: order, budget, ratios by round."""

import pytest

from constraintlab.course.measure import Rounds, interleave


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_every_round_runs_every_variant_in_turn():
    clock, order = Clock(), []

    def work(name, seconds):
        def call():
            order.append(name)
            clock.now += seconds

        return call

    seen = interleave({"a": work("a", 1), "b": work("b", 2)}, rounds=3, clock=clock)
    assert order == ["a", "b"] * 4  # one warm-up round
    assert seen.seconds == {"a": (1, 1, 1), "b": (2, 2, 2)}
    assert seen.gain("a", over="b").value == 2


def test_a_spent_budget_still_leaves_three_rounds():
    clock = Clock()

    def slow():
        clock.now += 100

    assert len(interleave({"a": slow}, rounds=50, budget=1, clock=clock).seconds["a"]) == 3


def test_one_disturbed_round_does_not_move_the_gain():
    seen = Rounds({"a": (1, 1, 9, 1, 1), "b": (2, 2, 18, 2, 2)})
    assert seen.gain("a", over="b").value == 2
    noisy = Rounds({"a": (1, 1, 9, 1, 1), "b": (2, 2, 2, 2, 2)})
    assert noisy.gain("a", over="b").value == 2


def test_the_wait_for_the_device_is_inside_the_measured_time():
    clock = Clock()

    def wait():
        clock.now += 5

    seen = interleave({"a": lambda: None}, rounds=3, wait=wait, clock=clock)
    assert seen.median("a") == 5


def test_rate_counts_amount_per_second():
    assert Rounds({"a": (2.0, 2.0, 4.0)}).rate("a", 8).value == pytest.approx(4)
