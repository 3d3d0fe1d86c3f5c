"""Lab 07's exercise: orders that are right, of several kinds, and what the others are told."""

import inspect
import re
from dataclasses import replace

import pytest

from constraintlab.course.check import check
from constraintlab.course.contest import SETUP, Contest
from constraintlab.course.exercises_tail import judge, order
from constraintlab.course.ordered import Ordered
from constraintlab.course.ordered_engine import real
from constraintlab.engine.policies.classes import Classes
from constraintlab.engine.policies.continuous import Continuous
from constraintlab.engine.policies.mlfq import MLFQ
from constraintlab.engine.policies.shortest import Shortest
from constraintlab.engine.policies.static import Static


def two_elders(requests):
    """Least served first, but for the two oldest."""
    oldest = sorted(requests, key=lambda r: r.arrival)
    return oldest[:2] + sorted(oldest[2:], key=lambda r: r.served)


def fair_aging(requests):
    """Each token counts as coming ten milliseconds later."""
    return sorted(requests, key=lambda r: r.arrival + 0.010 * r.served)


class RoundRobin:
    """The oldest, and then whoever has not had a turn for longest; it remembers turns by name."""

    def __init__(self):
        self.turn, self.last = 0, {}

    def __call__(self, requests):
        self.turn += 1
        oldest, *rest = sorted(requests, key=lambda r: r.arrival)
        found = [oldest, *sorted(rest, key=lambda r: self.last.get(r.id, 0))]
        self.last.update((r.id, self.turn) for r in found[:8])
        return found


@pytest.mark.parametrize("answer", [order, two_elders, fair_aging, RoundRobin()])
def test_orders_of_several_kinds_are_right(answer):
    result = check("07.order", answer)
    assert result.ok and "nobody starves" in result.message, result.message


def test_the_reference_is_a_dozen_lines():
    lines = [line for line in inspect.getsource(order).splitlines() if line.strip()]
    assert len(lines) <= 12


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda rs: sorted(rs, key=lambda r: r.arrival), "nobody starves, but .* 1.0 times that"),
        (lambda rs: sorted(rs, key=lambda r: r.prompt), "nobody starves, but .* 0.[5-9] times"),
        (lambda rs: sorted(rs, key=lambda r: -r.served), "nobody starves, but .* 1.0 times that"),
        (lambda rs: sorted(rs, key=lambda r: r.served), "400 tokens starves: .* it has 23 of"),
        (lambda rs: sorted(rs, key=lambda r: -r.arrival), "400 tokens starves: .* it has 23 of"),
        (lambda rs: sorted(rs, key=lambda r: (r.served > 300, r.arrival)), "it has 3.. of its"),
        (lambda rs: sorted(rs, key=lambda r: r.arrival + r.served), "400 tokens starves"),
        (lambda rs: sorted(rs, key=lambda r: r.wanted), "length is not known when it is scheduled"),
        (lambda rs: rs[:3], "in step .*: request 0, .*Idle meanwhile: 1 of 4 slots"),
        (lambda rs: rs[:8], "in step .*: request 5, .* waits and is not in your list"),
        (lambda rs: rs + rs, "request A is in your list 2 times"),
    ],
)
def test_what_is_wrong_is_told(answer, said):
    result = check("07.order", answer)
    assert not result.ok
    assert re.search(said, result.message), result.message


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (Continuous, "nobody starves, but"),
        (Static, "waits beside an empty slot"),
        (lambda: Classes(long=200), "waits beside an empty slot and room for its KV; .* 0.[0-9]%"),
        (Shortest, "starves"),
        (lambda: MLFQ(elders=0), "starves"),
    ],
)
def test_built_in_policies_are_judged_alike(policy, said):
    result = judge(policy)
    assert not result.ok
    assert re.search(said, result.message), result.message


def test_the_feedback_queue_passes():
    assert judge(MLFQ).ok


def test_a_short_tail_that_others_pay_for_is_told_what_it_cost():
    def thrash(requests):
        """The oldest, those who have had nothing yet, then those whose KV is not there."""
        oldest, *rest = sorted(requests, key=lambda r: r.arrival)
        return [oldest, *sorted(rest, key=lambda r: (r.served > 0, r.running))]

    small = Contest(150, setup=replace(SETUP, blocks=200))
    message = judge(lambda: Ordered(thrash), small).message
    assert "But the mean E2E is" in message and "tokens was computed again" in message, message


def test_the_real_engine_gives_right_answers_in_the_learners_order():
    ran = real(two_elders, n=12)
    assert ran.right == ran.asked == 12 and ran.pauses > 0
    assert str(ran).startswith("12 of 12 answers are right to the last character")
