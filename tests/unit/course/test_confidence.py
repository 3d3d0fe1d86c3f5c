"""The calibration score: by hand, and over all labs of a learner."""

import math

import pytest

from constraintlab.course.confidence import Answered, Calibration, answers, calibration
from constraintlab.course.predict import Prediction
from constraintlab.course.progress import Progress


def said(choice, sure=None, truth="a"):
    return Answered("00", "k", "?", choice, truth, sure)


def test_the_score_by_hand():
    c = Calibration.of([said("a", "sure"), said("b", "sure"), said("a", "guess"), said("a"),
                        said(None)])  # fmt: skip
    assert (c.asked, c.predicted, c.right, c.said) == (5, 4, 3, 3)
    assert c.levels == {"sure": (2, 1), "guess": (1, 1)}
    assert c.brier == pytest.approx((0.1**2 + 0.9**2 + 0.5**2) / 3)
    assert c.over == pytest.approx((0.9 + 0.9 + 0.5 - 2) / 3)


@pytest.mark.parametrize(
    ("made", "sense"),
    [
        ([said("b", "sure"), said("a", "sure")] * 3, "surer than you are right"),
        ([said("a", "guess")] * 5, "right more often"),
        ([said("a", "sure")] * 9 + [said("b", "sure")], "well judged"),
    ],
)
def test_it_says_which_way_a_learner_is_off(made, sense):
    assert sense in str(Calibration.of(made))
    few = str(Calibration.of(made[:4]))
    assert "Brier score" in few and sense not in few, "four answers say nothing of a person"


def test_who_always_says_fifty_percent_scores_a_quarter():
    assert Calibration.of([said("a", "guess"), said("b", "guess")]).brier == 0.25


def test_without_confidence_there_is_no_score_and_no_claim():
    c = Calibration.of([said("a"), said(None)])
    assert math.isnan(c.brier) and math.isnan(c.over)
    assert str(c) == "1 of 1 predictions right, 1 not made before the reveal."
    assert "No prediction" in str(Calibration.of([]))


def test_it_counts_over_all_labs_and_passes_over_what_it_can_t_read(tmp_path):
    progress = Progress(tmp_path / "progress.json")
    for lab, choice in (("00", "a"), ("03", "b")):
        asked = Prediction(progress, lab, "k", "Which?", ("a", "b"))
        asked.choose(choice)
        asked.rate("sure")
        asked.reveal("a", "because")
    progress.put("04", "reveals", "odd", {"choice": "a"})
    progress.put("05", "reveals", "odd", 3)
    assert [(a.lab, a.right) for a in answers(progress)] == [("00", True), ("03", False)]
    assert calibration(progress).levels == {"sure": (2, 1)}
