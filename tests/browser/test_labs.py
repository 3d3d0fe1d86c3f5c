"""Every lab runs all its cells in a browser, offline, its panel drawing; predictions react."""

import json
import re
from pathlib import Path
from statistics import median

import pytest

from constraintlab.bench.panel import WATCH, rates

ROOT = Path(__file__).resolve().parents[2]
LABS = sorted(path.name for path in (ROOT / "labs").glob("*.ipynb"))


def sources(lab: str) -> list[str]:
    cells = json.loads((ROOT / "labs" / lab).read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells]


def choose(notebook, lab):
    """Lab 00: predict wrongly, before anything runs."""
    asked = next(i for i, s in enumerate(sources(lab)) if "lab.predict(" in s)
    notebook.run_cells(0, asked + 1)
    choice = notebook.page.locator(".predict-choice", has_text="over half").first
    choice.click()
    box = notebook.page.locator(".jp-OutputArea-output", has=choice)
    box.get_by_text(re.compile("Noted: over half")).wait_for(timeout=5_000)
    box.locator(".predict-choice.mod-info", has_text="over half").wait_for(timeout=5_000)


def held_against_the_measurement(notebook, lab, shot):
    """Lab 00: what was clicked is kept, and the reveal says so."""
    reveal = next(i for i, s in enumerate(sources(lab)) if "lab.reveal(" in s)
    assert "you said: over half" in "".join(text for _, text in notebook.outputs()[reveal])


def slide(notebook, lab, shot):
    """Lab 03: each move of a slider measures that tile and marks it."""
    notebook.show_cell(next(i for i, s in enumerate(sources(lab)) if "TileSlider(small" in s))
    box = notebook.page.locator(".jp-OutputArea-output", has=notebook.page.locator(".tile-keys"))
    for name, row in (("tile-queries", "512 × 256 ◀"), ("tile-keys", "512 × 512 ◀")):
        notebook.page.locator(f".{name} .noUi-handle").press("ArrowRight")
        box.get_by_text(row).wait_for(timeout=15_000)
    shot(notebook, "lab-03-tiles", box)


NEXT = """(key) => new Promise((done) => {
    const box = document.querySelector('.inflight-slider').closest('.jp-OutputArea-output');
    const read = () => box.querySelector('.widget-readout').innerText;
    const note = () => box.querySelector('.inflight-note')?.innerText;
    const before = read(), said = note(), start = performance.now();
    new MutationObserver(() => {
        // An answer that has just ended, and is not followed by the next yet, is missing.
        const off = Math.abs(parseInt(note()) - Number(read()));
        if (read() !== before && note() !== said && off <= 2) done(performance.now() - start);
    }).observe(box, {childList: true, subtree: true, characterData: true});
    const press = {key, bubbles: true};
    box.querySelector('.noUi-handle').dispatchEvent(new KeyboardEvent('keydown', press));
})"""


def more_in_flight(notebook, lab, shot):
    """Lab 04: the slider changes the batch of an engine that runs, while its cell is awaited."""
    cell = next(i for i, s in enumerate(sources(lab)) if "InFlight(" in s)
    notebook.show_cell(cell)
    run = f"jupyterapp.shell.currentWidget.content.activeCellIndex = {cell}; "
    notebook.page.evaluate(run + "void jupyterapp.commands.execute('notebook:run-cell')")
    box = notebook.page.locator(".jp-OutputArea-output", has=notebook.page.locator(f".{SLIDER}"))
    box.get_by_text("in a step").wait_for(timeout=20_000)
    took = [notebook.page.evaluate(NEXT, f"Arrow{way}") for way in ("Right", "Left", "Right")]
    assert notebook.busy and median(took) < 250, f"{took} ms"
    notebook.wait_idle(60)
    shot(notebook, "lab-04-in-flight", box)


TURNED = """([name, act]) => new Promise((done) => {
    const control = document.querySelector('.' + name);
    const box = control.closest('.jp-OutputArea-output'), start = performance.now();
    const note = () => box.querySelector('.knob-note').innerText;
    const said = note();
    new MutationObserver(() => {
        if (note() !== said) done([performance.now() - start, note()]);
    }).observe(box, {childList: true, subtree: true, characterData: true});
    if (act === 'click') control.click();
    else if (act === 'next') control.querySelector('button:not(.mod-active)').click();
    else control.querySelector('.noUi-handle').dispatchEvent(
        new KeyboardEvent('keydown', {key: act, bubbles: true}));
})"""


def turn_the_knobs(notebook, lab, shot):
    """Lab 06: the link says what it was set to, while its cell is awaited and tokens stream."""
    cell = next(i for i, s in enumerate(sources(lab)) if "Knobs(" in s)
    notebook.show_cell(cell)
    run = f"jupyterapp.shell.currentWidget.content.activeCellIndex = {cell}; "
    notebook.page.evaluate(run + "void jupyterapp.commands.execute('notebook:run-cell')")
    box = notebook.page.locator(".jp-OutputArea-output", has=notebook.page.locator(".link-rate"))
    box.get_by_text("of 16").wait_for(timeout=20_000)
    for name, act, told in (
        ("link-rate", "End", "the link carries 60.0 kB/s, 0 ms late; no slow"),
        ("link-delay", "ArrowRight", "60.0 kB/s, 20 ms late; no slow"),
        ("link-slow-reader", "click", "20 ms late; 1 slow reader of 16"),
    ):
        took, note = notebook.page.evaluate(TURNED, [name, act])
        assert notebook.busy and took < 250 and told in note, (name, took, note)
    notebook.wait_idle(60)
    box.get_by_text("one", exact=True).first.wait_for(timeout=5_000)
    shot(notebook, "lab-06-knobs", box)


def switch_the_policy(notebook, lab, shot):
    """Lab 07: another order schedules at once, while its cell is awaited and users come."""
    cell = next(i for i, s in enumerate(sources(lab)) if "Switching(" in s)
    notebook.show_cell(cell)
    run = f"jupyterapp.shell.currentWidget.content.activeCellIndex = {cell}; "
    notebook.page.evaluate(run + "void jupyterapp.commands.execute('notebook:run-cell')")
    box = notebook.page.locator(
        ".jp-OutputArea-output", has=notebook.page.locator(".policy-switch")
    )
    box.get_by_text("FCFS schedules").wait_for(timeout=20_000)
    for order in ("MLFQ", "FCFS", "MLFQ"):
        took, note = notebook.page.evaluate(TURNED, ["policy-switch", "next"])
        assert notebook.busy and took < 250, (order, took)
        assert f"{order} schedules from the next step" in note, "a second choice counts as well"
    notebook.wait_idle(60)
    assert "MLFQ" in box.locator("table").inner_text()
    shot(notebook, "lab-07-switch", box)


def accuse(notebook, lab, shot):
    """Lab 08: a click on a suspect counts while the cell of the game day is awaited."""
    cell = next(i for i, s in enumerate(sources(lab)) if "desk.play(" in s)
    notebook.show_cell(cell)
    run = f"jupyterapp.shell.currentWidget.content.activeCellIndex = {cell}; "
    notebook.page.evaluate(run + "void jupyterapp.commands.execute('notebook:run-cell')")
    box = notebook.page.locator(".jp-OutputArea-output", has=notebook.page.locator(".desk-note"))
    box.get_by_text("What is wrong?").wait_for(timeout=120_000)
    box.locator(".suspect", has_text="The link is throttled").click()
    note = box.locator(".desk-note", has_text="The link is throttled:")
    note.wait_for(timeout=3_000)
    right = "that is it" in note.inner_text()
    notebook.wait_idle(60)
    [score] = [text for _, text in notebook.outputs()[cell] if "false alarms" in text]
    assert ("after" in score) is right and ("-25 points" in score) is not right, score
    shot(notebook, "lab-08-game-day", box)


SLIDER = "inflight-slider"
BEFORE = {"00": choose}
AFTER = {
    "00": held_against_the_measurement, "03": slide, "04": more_in_flight, "06": turn_the_knobs,
    "07": switch_the_policy, "08": accuse,
}  # fmt: skip
"""What a person does in a lab besides running it: one page a lab, since each costs seconds."""


@pytest.mark.reacts("predict-choice")
@pytest.mark.reacts("tile-queries")
@pytest.mark.reacts("tile-keys")
@pytest.mark.reacts("inflight-slider")
@pytest.mark.reacts("link-rate")
@pytest.mark.reacts("link-delay")
@pytest.mark.reacts("link-slow-reader")
@pytest.mark.reacts("policy-switch")
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "lab", [LABS[0], *(pytest.param(lab, marks=pytest.mark.long) for lab in LABS[1:])]
)
def test_a_lab_runs_from_top_to_bottom_and_reacts(open_notebook, shot, lab):
    notebook = open_notebook(f"labs/{lab}", height=1500)
    BEFORE.get(lab[:2], lambda *_: None)(notebook, lab)
    notebook.run_all()
    # JupyterLab draws only what is in sight.
    notebook.show_cell(next(i for i, s in enumerate(sources(lab)) if s.endswith("stage.panel")))
    notebook.page.wait_for_selector(".cl-panel[data-ready=true]", timeout=90_000)
    notebook.page.evaluate(WATCH)
    notebook.panel.scroll_into_view_if_needed()
    notebook.wait_idle(300)
    shown = [output for cell in notebook.outputs() for output in cell]
    assert [text for kind, text in shown if kind == "error"] == []
    text = "".join(text for _, text in shown)
    assert text.count("holds: ") >= 4 and "DOES NOT HOLD" not in text
    drawn = rates(notebook.page.evaluate("window.stamps"))
    assert drawn and max(drawn) >= 9, f"frames a second in each run: {drawn}"
    assert notebook.panel.locator(".cl-here").inner_text().startswith(f"lab {lab[:2]}")
    if lab < "04":
        unset = ("maps", "lanes", "stream")
        views = [notebook.panel.locator(f".cl-{name}").count() for name in unset]
        assert views == [0, 0, 0], "without an engine a panel has no room for its views"
    shot(notebook, f"lab-{lab[:2]}-panel", notebook.panel)
    AFTER.get(lab[:2], lambda *_: None)(notebook, lab, shot)
