"""Predictions: kept, revealed, and no click is an answer too."""

import pytest

from constraintlab.course.predict import Prediction
from constraintlab.course.progress import Progress

OPTIONS = ("compute", "bandwidth")


@pytest.fixture
def progress(tmp_path):
    return Progress(tmp_path / "progress.json")


def ask(progress):
    return Prediction(progress, "01", "binds", "What binds?", OPTIONS)


def test_a_choice_is_kept_for_the_next_time(progress):
    ask(progress).choose("bandwidth")
    assert ask(progress).choice == "bandwidth"


def test_an_option_that_is_no_longer_offered_is_forgotten(progress):
    progress.put("01", "predictions", "binds", "pages")
    assert ask(progress).choice is None


def test_reveal_holds_the_choice_against_the_truth(progress):
    asked = ask(progress)
    assert "no prediction" in str(asked.reveal("compute", "because"))
    asked.choose("bandwidth")
    assert not asked.reveal("compute", "because").right
    asked.choose("compute")
    assert asked.reveal("compute", "because").right


def test_a_click_chooses_and_marks_its_button(progress):
    asked = ask(progress)
    _, row, note = asked.widget().children
    row.children[1].click()
    assert asked.choice == "bandwidth" and "bandwidth" in note.value
    assert [b.button_style for b in row.children] == ["", "info"]


def test_text_fallback_is_the_question_not_the_answer(progress):
    asked = ask(progress)
    asked.choose("compute")
    text = asked._repr_mimebundle_()["text/plain"]
    assert text == "Predict. What binds?\n  compute  /  bandwidth"


def test_questions_without_a_choice_are_refused(progress):
    with pytest.raises(ValueError, match="two different options"):
        Prediction(progress, "01", "k", "?", ("same", "same"))
    with pytest.raises(ValueError, match="not among"):
        ask(progress).choose("pages")
