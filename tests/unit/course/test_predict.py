"""Predictions: kept, revealed, and no click is an answer too."""

import pytest

from constraintlab.course.predict import Prediction
from constraintlab.course.progress import Progress
from constraintlab.panel.palette import contrast

OPTIONS = ("compute", "bandwidth")


@pytest.fixture
def progress(tmp_path):
    return Progress(tmp_path / "progress.json")


def ask(progress):
    return Prediction(progress, "01", "binds", "What binds?", OPTIONS)


def test_a_choice_is_kept_for_the_next_time(progress):
    ask(progress).choose("bandwidth")
    ask(progress).rate("guess")
    assert (ask(progress).choice, ask(progress).sure) == ("bandwidth", "guess")


def test_an_option_that_is_no_longer_offered_is_forgotten(progress):
    progress.put("01", "predictions", "binds", "pages")
    progress.put("01", "confidence", "binds", "certain")
    assert (ask(progress).choice, ask(progress).sure) == (None, None)


def test_reveal_holds_the_choice_against_the_truth(progress):
    asked = ask(progress)
    assert "no prediction" in str(asked.reveal("compute", "because"))
    asked.choose("bandwidth")
    assert not asked.reveal("compute", "because").right
    asked.choose("compute")
    assert asked.reveal("compute", "because").right


def test_the_first_reveal_is_the_one_that_counts(progress):
    asked = ask(progress)
    asked.choose("bandwidth")
    asked.rate("sure")
    shown = asked.reveal("compute", "because")
    assert "you said: bandwidth, sure" in str(shown) and "0 of 1" in shown.so_far
    asked.choose("compute")
    assert "0 of 1" in asked.reveal("compute", "because").so_far
    kept = progress.lab("01")["reveals"]["binds"]
    assert (kept["choice"], kept["sure"], kept["truth"]) == ("bandwidth", "sure", "compute")
    assert "constraintlab reset 01" in ask(progress).widget().children[-1].value


def test_clicks_choose_and_mark_their_buttons(progress):
    asked = ask(progress)
    _, options, sure, note = asked.widget().children
    options.children[1].click()
    assert asked.choice == "bandwidth" and "bandwidth" in note.value and asked.sure is None
    assert [b.button_style for b in options.children] == ["", "info"]
    sure.children[2].click()
    assert asked.sure == "think so" and "bandwidth</b>, think so" in note.value
    assert [b.button_style for b in sure.children[1:]] == ["", "info", ""]
    again = ask(progress).widget().children[2]
    assert again.children[2].button_style == "info", "a restart shows what was said"


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
    with pytest.raises(ValueError, match="not among: sure, think so, guess"):
        ask(progress).rate("certain")


def test_the_chosen_button_can_be_read_and_is_the_only_one_set_off(tmp_path):
    asked = Prediction(Progress(tmp_path / "p.json"), "00", "k", "Which?", ["a", "b"])
    _, options, *_ = asked.widget().children
    for clicked in (0, 1):
        options.children[clicked].click()
        lit = [i for i, b in enumerate(options.children) if b.style.button_color]
        assert lit == [clicked]
        style = options.children[clicked].style
        assert contrast(style.button_color, style.text_color) >= 4.5
