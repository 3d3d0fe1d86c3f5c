"""Checkers: never an empty, constant or known-wrong answer; always a sentence to act on."""

import math

import pytest
import torch

from constraintlab.course import (
    exercises,
    exercises_engine,
    exercises_plan,
    exercises_streaming,
    exercises_tail,
)
from constraintlab.course.check import check, compare, names

RIGHT = {
    "00.binding_side": exercises.binding_side,
    "01.score_peak": exercises.score_peak,
    "02.tile": exercises.queries_for,
    "03.merge": exercises.merge,
    "04.fits": exercises_engine.fits,
    "05.share": exercises_engine.share,
    "06.interval": exercises_streaming.interval,
    "07.order": exercises_tail.order,
    "08.replicas": exercises_plan.replicas,
}


def no_maximum(m, total, acc, scores, values):
    """The naive softmax: sums what exp gives, without a maximum."""
    w = scores.exp()
    return max(m, float(scores.max())), total + float(w.sum()), acc + w @ values


def own_maximum(m, total, acc, scores, values):
    """Each tile under its own maximum, added as they are."""
    w = (scores - scores.max()).exp()
    return max(m, float(scores.max())), total + float(w.sum()), acc + w @ values


def only_total(m, total, acc, scores, values):
    """Shrinks the sum and forgets the values."""
    top = max(m, float(scores.max()))
    w = (scores - top).exp()
    return top, total * math.exp(m - top) + float(w.sum()), acc + w @ values


def averaged(m, total, acc, scores, values):
    """Averages the tiles' own softmaxes."""
    return max(m, float(scores.max())), total + 1, acc + scores.softmax(0) @ values


def all_cached(tokens, size, cached):
    """The shipped bug: a prompt of whole blocks leaves nothing to compute."""
    n = 0
    while (n + 1) * size <= len(tokens) and tokens[: (n + 1) * size] in cached:
        n += 1
    return n


def through_gaps(tokens, size, cached):
    """Counts what is cached, wherever it lies."""
    whole = range((len(tokens) - 1) // size)
    return sum(tokens[: (i + 1) * size] in cached for i in whole)


def every_gap(answers):
    """Of all answers together."""
    return [gap for gaps in answers for gap in gaps]


def by_the_mean(answers, target):
    """What meets the target on average."""
    every = every_gap(answers)
    return max(1, int(target * len(every) / sum(every)))


def by_the_worst_gap(answers, target):
    """As if bad gaps came in a row."""
    return max(1, int(target / exercises_streaming.p99(every_gap(answers))))


def enough(is_enough):
    """The fewest replicas by another rule."""

    def replicas(ttft, limit):
        n = 1
        while not is_enough(ttft(n), limit):
            n += 1
        return n

    return replicas


WRONG = {
    "00.binding_side": {
        "empty": lambda f, b, fr, br: None,
        "constant compute": lambda f, b, fr, br: "compute",
        "constant bandwidth": lambda f, b, fr, br: "bandwidth",
        "more FLOPs than bytes": lambda f, b, fr, br: "compute" if f > b else "bandwidth",
        "upside down": lambda f, b, fr, br: "compute" if f * fr > b * br else "bandwidth",
        "true or false": lambda f, b, fr, br: f / fr >= b / br,
    },
    "01.score_peak": {
        "empty": lambda s, h, i: None,
        "constant": lambda s, h, i: 2 * 4 * 512**2 * 4,
        "one matrix": lambda s, h, i: h * s * s * i,
        "linear in S": lambda s, h, i: 2 * h * s * i,
        "no heads": lambda s, h, i: 2 * s * s * i,
        "three matrices": lambda s, h, i: 3 * h * s * s * i,
        "values, not bytes": lambda s, h, i: 2 * h * s * s,
        "text": lambda s, h, i: str(2 * h * s * s * i),
    },
    "02.tile": {
        "empty": lambda keys: None,
        "always the least": lambda keys: 16,
        "always the most": lambda keys: 128,
        "one step too tall": lambda keys: {64: 128, 256: 64, 1024: 16}[keys],
        "grows with the row": lambda keys: {64: 16, 256: 32, 1024: 128}[keys],
        "no power of two": lambda keys: 100,
        "true": lambda keys: True,
        "no whole number": lambda keys: 64.0,
        "a tensor": lambda keys: torch.tensor([16, 32]),
    },
    "03.merge": {
        "empty": lambda m, t, a, s, v: None,
        "the state as it was": lambda m, t, a, s, v: (m, t, a),
        "no maximum": no_maximum,
        "own maximum": own_maximum,
        "only the sum shrinks": only_total,
        "averaged": averaged,
        "two things": lambda m, t, a, s, v: (m, t),
        "text for m": lambda m, t, a, s, v: ("top", t, a),
        "nothing for total": lambda m, t, a, s, v: (m, None, a),
        "a row for m": lambda m, t, a, s, v: (s, t, a),
        "weights for acc": lambda m, t, a, s, v: (float(s.max()), 1.0, s.softmax(0)),
    },
    "04.fits": {
        "empty": lambda pool, residences: None,
        "each request once": lambda pool, r: pool / (sum(h / t for t, h in r) / len(r)),
        "token-seconds as tokens": lambda pool, r: pool * len(r) / sum(h for _, h in r),
        "the longest": lambda pool, r: pool / max(h / t for t, h in r),
        "whole sequences": lambda pool, r: int(exercises_engine.fits(pool, r)),
        "upside down": lambda pool, r: sum(h for _, h in r) / sum(t for t, _ in r) / pool,
        "constant": lambda pool, r: 10.0,
        "text": lambda pool, r: str(exercises_engine.fits(pool, r)),
    },
    "05.share": {
        "empty": lambda tokens, size, cached: None,
        "the shipped bug": all_cached,
        "never": lambda tokens, size, cached: 0,
        "one block less, always": lambda t, s, c: max(0, all_cached(t, s, c) - 1),
        "as if all were cached": lambda tokens, size, cached: (len(tokens) - 1) // size,
        "through gaps": through_gaps,
        "tokens, not blocks": lambda t, s, c: s * exercises_engine.share(t, s, c),
        "true or false": lambda t, s, c: exercises_engine.share(t, s, c) > 0,
        "a set of blocks": lambda t, s, c: set(range(exercises_engine.share(t, s, c))),
    },
    "06.interval": {
        "empty": lambda answers, target: None,
        "the mean": by_the_mean,
        "the worst gap, again and again": by_the_worst_gap,
        "one less": lambda a, t: max(1, exercises_streaming.interval(a, t) - 1),
        "always one": lambda answers, target: 1,
        "always the most": lambda answers, target: exercises_streaming.MOST,
        "none": lambda answers, target: 0,
        "half a token": lambda a, t: exercises_streaming.interval(a, t) + 0.5,
    },
    "07.order": {
        "empty": lambda requests: None,
        "nobody": lambda requests: [],
        "constant": lambda requests: 1,
        "as they come": lambda rs: sorted(rs, key=lambda r: r.arrival),
        "the least served": lambda rs: sorted(rs, key=lambda r: r.served),
        "the newest": lambda rs: sorted(rs, key=lambda r: -r.arrival),
        "the shortest prompt": lambda rs: sorted(rs, key=lambda r: r.prompt),
        "the shortest answer": lambda rs: sorted(rs, key=lambda r: r.remaining),
        "some": lambda rs: sorted(rs, key=lambda r: r.arrival)[:3],
        "twice": lambda rs: sorted(rs, key=lambda r: r.arrival) * 2,
        "names": lambda rs: [r.id for r in exercises_tail.order(rs)],
    },
    "08.replicas": {
        "empty": lambda ttft, limit: None,
        "constant": lambda ttft, limit: 7,
        "by the mean": enough(lambda seen, limit: sum(seen) / len(seen) <= limit),
        "by the median": enough(lambda seen, limit: sorted(seen)[len(seen) // 2] <= limit),
        "by p90": enough(lambda seen, limit: sorted(seen)[len(seen) * 9 // 10] <= limit),
        "the slowest of all": enough(lambda seen, limit: max(seen) <= limit),
        "one less": lambda ttft, limit: exercises_plan.replicas(ttft, limit) - 1,
        "one more": lambda ttft, limit: exercises_plan.replicas(ttft, limit) + 1,
        "very many": lambda ttft, limit: 4096,
        "never enough": enough(lambda seen, limit: False),
        "from none on": lambda ttft, limit: len(ttft(0)),
        "half a replica": lambda ttft, limit: exercises_plan.replicas(ttft, limit) + 0.5,
        "text": lambda ttft, limit: str(exercises_plan.replicas(ttft, limit)),
        "true": lambda ttft, limit: True,
    },
}


def test_every_checker_is_tested_here():
    assert set(names()) == set(RIGHT) == set(WRONG)


@pytest.mark.parametrize("name", RIGHT)
def test_the_right_answer_passes(name):
    assert check(name, RIGHT[name]).ok


@pytest.mark.parametrize(("name", "what"), [(n, w) for n in WRONG for w in WRONG[n]])
def test_a_wrong_answer_is_refused_with_a_hint(name, what):
    result = check(name, WRONG[name][what])
    assert not result.ok and len(result.message) > 15


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("answer", [None, ..., 3, "compute"])
def test_no_function_is_no_answer(name, answer):
    assert not check(name, answer).ok


@pytest.mark.parametrize("name", RIGHT)
def test_an_answer_that_raises_is_told_how(name):
    def broken(*args):
        return 1 / 0

    assert "ZeroDivisionError" in check(name, broken).message


def test_hints_do_not_give_the_formula_away():
    for name, wrong in WRONG.items():
        for answer in wrong.values():
            message = check(name, answer).message
            assert "2 *" not in message and "/ flop_rate" not in message
            assert "oldest" not in message and "level" not in message


def test_an_unknown_checker_names_the_known_ones():
    with pytest.raises(ValueError, match=r"00\.binding_side"):
        check("00.typo", None)


def test_a_bool_is_not_taken_for_a_number():
    hint = lambda case, got, want: "a number is wanted here"  # noqa: E731
    assert not compare(lambda x: True, [(1,)], lambda x: 1, hint).ok
