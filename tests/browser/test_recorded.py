"""A recording of lab 00 is scrubbed through, in a notebook and on a page of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from constraintlab.panel.player import CONTROLS
from constraintlab.recordings import catalogue, page, play, tape

READY = ".cl-replay .cl-panel[data-ready=true]"
RECORDED = re.compile(r"recorded \(.+, \d{4}-\d\d-\d\d\)")
LAB = Path(__file__).resolve().parents[2] / "labs" / "00_instrument_first.ipynb"
RUN = """import nbformat
from nbclient import NotebookClient
book = nbformat.read({path!r}, as_version=4)
NotebookClient(book, timeout=300, kernel_name="python3").execute()
"""

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The folder with lab 00's recording, made here in the preset `ci`."""
    folder = tmp_path_factory.mktemp("recordings")
    env = {**os.environ, "CONSTRAINTLAB_PRESET": "ci", "CONSTRAINTLAB_RECORD": str(folder)}
    code = RUN.format(path=str(LAB))
    subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True)
    return folder


@pytest.fixture
def opened(browser, recorded, tmp_path):
    """opened(scheme, width) → a page of its own with the recording, the internet shut out."""
    file = tmp_path / "page.html"
    tapes = catalogue.of_lab("00", recorded)
    file.write_text(page.html("Lab 00, recorded", play.packed("00", tapes)), encoding="utf-8")
    contexts, wrong = [], []

    def open_(scheme="light", width=1280):
        size = {"width": width, "height": 1000}
        context = browser.new_context(viewport=size, color_scheme=scheme, offline=True)
        contexts.append(context)
        sheet = context.new_page()
        sheet.on("pageerror", lambda error: wrong.append(str(error)))
        sheet.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        sheet.goto(file.as_uri())
        sheet.wait_for_selector(READY, timeout=60_000)
        return sheet

    yield open_
    for context in contexts:
        context.close()
    assert wrong == []


def read(sheet):
    """(verdict, clock of the panel, moment) as they stand there."""
    panel = sheet.locator(".cl-replay .cl-panel")
    words = [panel.locator(f".{name}").inner_text() for name in ("cl-verdict", "cl-clock")]
    return *words, int(sheet.locator(".cl-replay").get_attribute("data-moment"))


def slide(sheet, to):
    sheet.locator(".replay-slider").evaluate(
        "(e, v) => { e.value = v ?? e.max; e.dispatchEvent(new Event('input')); }", to
    )
    sheet.wait_for_timeout(700)


@pytest.mark.reacts("replay-slider")
@pytest.mark.reacts("replay-step")
@pytest.mark.reacts("replay-play")
@pytest.mark.reacts("replay-tab")
def test_a_recording_is_scrubbed_through_on_a_page_of_its_own(opened, recorded):
    sheet = opened()
    (found,) = catalogue.of_lab("00", recorded)
    start = read(sheet)
    slide(sheet, None)
    end = read(sheet)
    assert start[2] == 0 < end[2] and start[0] != end[0] and end[1].endswith("recorded")
    assert RECORDED.search(sheet.locator(".cl-about").first.inner_text())
    assert f"recorded ({found.head.origin})" in sheet.locator(".cl-worth .cl-foot").inner_text()
    assert f"recorded · {found.head.origin}" in sheet.locator(".cl-chips").inner_text()
    view = [e["view"] for e in found.events if e["do"] == "view"][-1]
    said = "".join(piece["t"] for piece in view["sentence"])
    assert end[0].replace(" ", "") == said.replace(" ", "")

    sheet.locator(".replay-step", has_text="three passes").click()
    sheet.wait_for_timeout(700)
    run = read(sheet)
    assert 0 < run[2] < end[2] and run[0] != end[0]
    sheet.locator(".replay-step", has_text="Measured").first.click()
    (reveal, _) = [e for e in found.events if e["do"] == "reveal"]
    said = sheet.locator(".cl-said")
    assert reveal["question"] in said.inner_text()
    assert said.locator(".cl-yes").inner_text() == f"✓ {reveal['truth']}"

    slide(sheet, 0)
    sheet.locator(".replay-play").click()
    sheet.wait_for_function("Number(document.querySelector('.cl-replay').dataset.moment) > 1")
    sheet.locator(".replay-play").click()
    still = read(sheet)[2]
    sheet.wait_for_timeout(800)
    assert read(sheet)[2] == still

    sheet.locator(".replay-tab", has_text="GPU, recorded").click()
    none = sheet.locator(".cl-missing").inner_text()
    assert none == play.MISSING["gpu"].format(lab="00")
    assert sheet.locator(".cl-replay .cl-panel").count() == 0


@pytest.mark.parametrize(("scheme", "width"), [("dark", 1280), ("light", 400)])
def test_it_fits_a_phone_and_follows_the_system_s_theme(opened, scheme, width):
    sheet = opened(scheme, width)
    slide(sheet, None)
    assert sheet.evaluate("document.documentElement.scrollWidth") <= width
    assert sheet.locator(".cl-replay").get_attribute("data-theme") == scheme


def test_a_notebook_scrubs_too(open_notebook, server, recorded):
    book = server.folder / "fixtures" / "recorded.ipynb"
    code = (
        "from pathlib import Path\nfrom constraintlab.recordings.show import replay\n"
        f"replay('00', Path({str(recorded)!r}))"
    )
    cells = [nbformat.v4.new_code_cell(code)]
    meta = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=meta), book)
    notebook = open_notebook("fixtures/recorded.ipynb")
    notebook.run_cells(0, 1)
    notebook.page.wait_for_selector(READY, timeout=60_000)
    before = read(notebook.page)
    slide(notebook.page, None)
    assert read(notebook.page)[0] != before[0]


def test_the_recording_has_every_step_of_the_lab(recorded):
    found = tape.read(recorded / "00-cpu.jsonl.gz")
    done = [e["do"] for e in found.events]
    assert done.count("run") == 2 and done.count("reveal") == 2 and done.count("strip") == 1
    assert len(CONTROLS) == 4 and found.notes == ()
