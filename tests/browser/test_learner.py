"""What a learner clicks besides the panel: how sure a prediction is, and the transfer test."""

import re

import pytest

LEARNER = "fixtures/learner.ipynb"
ASK, REVEAL, HINT, BEFORE, AFTER = range(5)


@pytest.mark.reacts("predict-sure")
def test_how_sure_a_prediction_is_stands_in_its_reveal(open_notebook, shot):
    notebook = open_notebook(LEARNER, height=700)
    notebook.run_cells(ASK, ASK + 1)
    sure = notebook.page.locator(".predict-sure", has_text="think so").first
    sure.click()
    box = notebook.page.locator(".jp-OutputArea-output", has=sure)
    box.get_by_text("Pick one before you run on").wait_for(timeout=5_000)
    # The kernel answers the click.
    box.locator(".predict-sure.mod-info", has_text="think so").wait_for(timeout=5_000)
    notebook.page.locator(".predict-choice", has_text="under 10%").first.click()
    box.get_by_text(re.compile("Noted: under 10%, think so")).wait_for(timeout=5_000)
    notebook.run_all()
    notebook.wait_idle(60)
    shown = notebook.outputs()
    assert "you said: under 10%, think so" in shown[REVEAL][0][1]
    assert "hint 1 of 3" in shown[HINT][0][1]
    shot(notebook, "learner-predicts")


@pytest.mark.reacts("transfer-constraint")
@pytest.mark.reacts("transfer-next")
@pytest.mark.reacts("transfer-turn")
@pytest.mark.reacts("transfer-hand-in")
@pytest.mark.parametrize(
    ("cell", "form", "theme"), [(BEFORE, "before", "light"), (AFTER, "after", "dark")]
)
def test_six_cards_are_answered_and_handed_in(open_notebook, shot, cell, form, theme):
    notebook = open_notebook(LEARNER, height=900, theme=theme)
    notebook.run_all()
    notebook.wait_idle(60)
    notebook.show_cell(cell)
    title = f"Transfer test, {form} the labs."
    box = notebook.page.locator(".jp-OutputArea-output", has_text=title)
    box.get_by_text("0 of 12 answers given").wait_for(timeout=10_000)
    hand_in = box.locator(".transfer-hand-in")
    assert hand_in.is_disabled()
    for i in range(6):
        box.get_by_text(f"Card {i + 1} of 6").wait_for(timeout=5_000)
        box.locator(".transfer-constraint").get_by_label("KV capacity").check()
        box.get_by_text(f"{2 * i + 1} of 12 answers").wait_for(timeout=5_000)
        box.locator(".transfer-next").get_by_label("host").check()
        box.get_by_text(f"{2 * i + 2} of 12 answers").wait_for(timeout=5_000)
        if i == 0:
            shot(notebook, f"transfer-card-{theme}")
        if i < 5:
            box.locator(".transfer-turn", has_text="next card").click()
    box.locator(".transfer-turn", has_text="card before").click()
    box.get_by_text("Card 5 of 6").wait_for(timeout=5_000)
    chosen = box.locator(".transfer-constraint").get_by_label("KV capacity")
    assert chosen.is_checked(), "what was answered is shown again"
    hand_in.click()
    box.get_by_text(re.compile(r"Handed in: \d+ of 12 points")).wait_for(timeout=5_000)
    assert chosen.is_disabled() and hand_in.is_disabled()
    assert box.get_by_text("By perturbation").count() == (cell == AFTER), "no peeking before"
    shot(notebook, f"transfer-done-{theme}")
    notebook.run_all()
    notebook.wait_idle(60)
    assert "of 12 points" in notebook.outputs()[cell][0][1], "a restart finds it done"
