"""The scoreboard: its numbers are the policies' own, and whose row is whose."""

from statistics import median

import pytest

from constraintlab.course.contest import Contest
from constraintlab.course.exercises_tail import order
from constraintlab.course.ordered import BadOrder, Ordered
from constraintlab.course.scoreboard import BUILT_IN, scoreboard
from constraintlab.engine.policies.classes import Classes
from constraintlab.engine.policies.continuous import Continuous
from constraintlab.engine.policies.mlfq import MLFQ
from constraintlab.engine.policies.shortest import Shortest
from constraintlab.engine.virtual.cost import StepCost

SMALL = Contest(requests=60)


@pytest.fixture(scope="module")
def board():
    return scoreboard(order, SMALL)


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        ("FCFS", Continuous()), ("MLFQ", MLFQ()), ("SRPT", Shortest()),
        ("classes", Classes(long=200)), ("mine", Ordered(order)),
    ],
)  # fmt: skip
def test_a_row_is_what_its_policy_does(board, name, policy):
    ran, score = [SMALL.run(policy, due) for due in SMALL.due()], board[name]
    for got, of in (
        (score.short_p50, lambda r: r.short[50.0]), (score.short_p99, lambda r: r.short[99.0]),
        (score.long_p50, lambda r: r.long[50.0]), (score.long_p99, lambda r: r.long[99.0]),
        (score.mean_e2e, lambda r: r.e2e), (score.rate, lambda r: r.rate),
    ):  # fmt: skip
        values = [of(r) for r in ran]
        assert (got.value, got.low, got.high) == (median(values), min(values), max(values))
    assert score.idle == pytest.approx(sum(r.idle for r in ran) / 3)
    assert score.short_p99.source == SMALL.cost.source


def test_who_starves_and_who_leaves_slots_empty(board):
    assert [row.name for row in board.rows if row.starves] == ["SRPT"]
    assert [row.name for row in board.rows if row.idle] == ["classes"]


def test_the_learners_row_is_marked_and_the_oracle_named(board):
    assert [row.name for row in board.rows] == [*BUILT_IN, "mine"]
    assert [row.mine for row in board.rows] == [False] * len(BUILT_IN) + [True]
    lines = str(board).splitlines()
    assert [line for line in lines if "▸" in line] == [lines[-2]]
    assert "SRPT (oracle: knows the lengths)" in str(board)
    assert "3 runs" in lines[-1] and "60 requests" in lines[-1] and "modelled" in lines[-1]
    assert "▸ mine (yours)" in board._repr_html_()


def test_it_says_the_same_each_time(board):
    assert str(scoreboard(order, SMALL)) == str(board)


def test_without_an_order_there_is_no_row_of_the_learners(board):
    alone = scoreboard(contest=SMALL)
    assert alone.rows == board.rows[:-1]


def test_measured_step_costs_do_not_make_its_numbers_measured():
    cost = StepCost(0.001, 0.0002, source="measured")
    board = scoreboard(contest=Contest(requests=30, seeds=1, cost=cost))
    assert board["FCFS"].mean_e2e.source == "modelled: step costs measured"
    assert str(board).endswith("Virtual clock, step costs measured.")


def test_an_order_that_starves_says_so_and_one_that_is_none_is_told():
    greedy = scoreboard(lambda rs: sorted(rs, key=lambda r: r.served), SMALL, name="greedy")
    assert greedy["greedy"].starves and greedy["greedy"].mine
    with pytest.raises(BadOrder, match="in step 1: it returns nothing yet"):
        scoreboard(lambda rs: None, SMALL)
