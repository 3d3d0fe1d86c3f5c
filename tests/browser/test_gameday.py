"""A game day in a browser: a click accuses while the load runs, the right one ends the round."""

import re

import pytest

from constraintlab.gameday.fault import FAULTS

NOTEBOOK = "fixtures/gameday.ipynb"


@pytest.mark.long
@pytest.mark.reacts("suspect")
@pytest.mark.timeout(240)
def test_a_click_accuses_and_the_right_one_ends_the_round(open_notebook, shot):
    notebook = open_notebook(NOTEBOOK, height=1700)
    notebook.run_all()
    page = notebook.page
    note = page.locator(".desk-note").first
    page.locator(".desk-note", has_text="What is wrong?").first.wait_for(timeout=120_000)
    gauges = page.locator(".desk-gauges").first
    gauges.get_by_text("KV pool taken").wait_for(timeout=20_000)
    page.wait_for_timeout(6_000)
    said = []
    for fault in FAULTS:
        page.locator(".suspect", has_text=fault.accused).first.click()
        told = re.compile(f"{fault.accused}|rounds are over")
        page.locator(".desk-note", has_text=told).first.wait_for(timeout=5_000)
        said.append(note.inner_text())
        if "that is it" in said[-1] or "over" in said[-1]:
            break
        assert "no, and a false alarm costs points" in said[-1]
        shot(notebook, "gameday")
    notebook.wait_idle(120)
    [(kind, text)] = [o for cell in notebook.outputs() for o in cell if "True" in o[1]]
    assert kind != "error" and f"True {len(said) - 1} {fault.name}" in text
    page.get_by_text("named after").first.wait_for(timeout=10_000)
    shot(notebook, "gameday-over")
