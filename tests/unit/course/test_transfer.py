"""The transfer test: its truth again by perturbation, answers kept, nothing told too soon."""

import json
import math
from collections import Counter
from pathlib import Path

import pytest

from constraintlab.course import transfer
from constraintlab.course.progress import Progress
from constraintlab.course.transfer import CHOICES, FORMS, Transfer, cards
from constraintlab.course.transfer_card import figures
from constraintlab.course.transfer_view import view
from constraintlab.limits.resource import Resource
from constraintlab.scenarios.capacity import without
from constraintlab.scenarios.perturb import perturb
from constraintlab.scenarios.run import run
from constraintlab.scenarios.scenario import Lengths, Scenario
from tests.unit.course.learner import take

KEPT = json.loads(Path(transfer.__file__).with_name("transfer.json").read_text())


@pytest.fixture
def progress(tmp_path):
    return Progress(tmp_path / "progress.json")


def scenario(card):
    """As `.ci/transfer.py` wrote it; null is a limit that there is not."""
    d = {k: math.inf if v is None else v for k, v in card["scenario"].items()}
    return Scenario(**{**d, "prompt": Lengths(**d["prompt"]), "answer": Lengths(**d["answer"])})


def test_the_forms_are_parallel_and_unlike():
    pairs = {f: Counter((c.constraint, c.next) for c in cards(f)) for f in FORMS}
    assert pairs["before"] == pairs["after"] and all(len(cards(f)) == 6 for f in FORMS)
    assert len({c.constraint for c in cards("before")}) == 6, "nobody can answer with one name"
    numbers = [c["number"] for form in KEPT.values() for c in form]
    assert len(set(numbers)) == 12
    orders = [[c.constraint for c in cards(f)] for f in FORMS]
    assert all(a is not b for a, b in zip(*orders, strict=True))


@pytest.mark.parametrize("form", FORMS)
def test_each_truth_is_far_ahead_of_the_second(form):
    for card in cards(form):
        for shares, truth in ((card.shares, card.constraint), (card.then, card.next)):
            first, second = sorted(shares.values(), reverse=True)[:2]
            assert shares[truth] == first >= second + 0.3
        assert card.constraint is not card.next
        assert {card.constraint, card.next} <= set(CHOICES)


def test_a_card_s_figures_and_truth_come_out_again():
    """One of the twelve, the quickest, as it was made: on this machine, by perturbation."""
    (card,) = (c for c in KEPT["before"] if c["number"] == 37)
    s = scenario(card)
    again, kept = figures(s, run(s, card["workloads"][0])), dict(card["figures"])
    for (n, x), (m, y) in zip(again.pop("alone"), kept.pop("alone"), strict=True):
        assert n == m and x == pytest.approx(y, rel=1e-6)
    assert again.keys() == kept.keys()
    for name, value in kept.items():
        assert again[name] == (value if value is None else pytest.approx(value, rel=1e-6)), name
    truth = perturb(s, card["workloads"])
    after = perturb(without(s, truth.largest), card["workloads"], least=0.25)
    assert (truth.largest, after.largest) == (card["constraint"], card["next"])


@pytest.mark.parametrize("form", FORMS)
def test_what_a_card_shows_does_not_name_its_answer(form):
    for card in cards(form):
        shown = " ".join(" ".join(row) for row in card.rows).lower()
        assert not any(word in shown for word in ("bottleneck", "binds", "bandwidth", "constraint"))
        assert {group for group, _, _ in card.rows} == {"load", "sheet", "seen"}
        assert "nan" not in shown and "inf" not in shown


def test_two_points_a_card_and_no_score_before_it_is_handed_in(progress):
    test = Transfer("before", progress)
    assert "not taken" in str(test) and test.score is None
    test.answer(0, "constraint", test.cards[0].constraint)
    assert "11 answers to go" in str(test) and test.score is None
    with pytest.raises(ValueError, match="11 answers are missing"):
        test.hand_in()
    take(test, right=4)
    assert test.score == 4 and str(test).endswith("4 of 12 points.")
    for i, card in enumerate(cards("after")):
        both = Transfer("after", progress)
        both.answer(i, "constraint", card.constraint)
        both.answer(i, "next", card.next)
    both.hand_in()
    assert Transfer("after", progress).score == both.most == 12


def test_answers_outlive_a_restart_and_are_final_once_handed_in(progress):
    Transfer("before", progress).answer(2, "next", Resource.HOST)
    again = Transfer("before", Progress(progress.path))
    assert again.answers[2] == {"next": Resource.HOST}
    take(again, right=0)
    with pytest.raises(ValueError, match="reset transfer"):
        again.answer(0, "next", Resource.HOST)


@pytest.mark.parametrize(
    "wrong", [(6, "next", "host"), (0, "first", "host"), (0, "next", "pages"), (0, "next", "x")]
)
def test_an_answer_that_can_t_be_is_refused(progress, wrong):
    with pytest.raises(ValueError, match="no such answer"):
        Transfer("before", progress).answer(*wrong)
    with pytest.raises(ValueError, match="'before' or 'after'"):
        Transfer("during", progress)


def test_what_makes_no_sense_in_the_file_counts_as_no_answer(progress):
    progress.put("transfer", "before", "0", "host")
    progress.put("transfer", "before", "1", {"constraint": "pages", "next": 3})
    progress.put("transfer", "before", "done", "2026-01-01")
    test = Transfer("before", progress)
    assert test.missing == 12 and test.score == 0
    assert view(test) is not None


def shown(box):
    """All the text in a box of widgets."""
    inside = "".join(shown(child) for child in getattr(box, "children", ()))
    value = getattr(box, "value", "")
    return inside + (value if isinstance(value, str) else "")


@pytest.mark.parametrize("form", FORMS)
def test_the_truth_is_told_after_the_last_form_alone(progress, form):
    test = Transfer(form, progress)
    box = test.widget()
    assert "By perturbation" not in shown(box)
    assert "perturbation" not in str(test._repr_mimebundle_()["text/plain"])
    take(test, right=1)
    assert ("By perturbation" in shown(view(test))) == (form == "after")
