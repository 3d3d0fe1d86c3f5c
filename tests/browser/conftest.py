"""Notebooks in a real JupyterLab in a real headless Chromium."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from constraintlab.bench import browser as browsing
from constraintlab.bench.jupyter import serve

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def browser():
    """Chromium; without one, the browser tests are skipped."""
    try:
        with browsing.chromium() as chromium:
            yield chromium
    except browsing.NoBrowser as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """JupyterLab over a copy of labs/ and of the fixtures, with small sizes."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(ROOT / "labs", home / "work" / "labs")
    shutil.copytree(Path(__file__).parent / "fixtures", home / "work" / "fixtures")
    preset = os.environ.get("CONSTRAINTLAB_PRESET", "ci")
    with serve(home, {"CONSTRAINTLAB_PRESET": preset}) as server:
        yield server


@pytest.fixture
def open_notebook(browser, server):
    """open_notebook(path, theme=…, width=…) → Notebook; checked to be clean at the end."""
    opened = []

    def open_(path: str, **look):
        opened.append(browsing.Notebook(browser, server, path, **look))
        return opened[-1]

    yield open_
    for notebook in opened:
        notebook.end()
    for notebook in opened:
        assert notebook.outside == [], f"the page asked for {notebook.outside}"
        assert notebook.errors == [], notebook.errors


@pytest.fixture
def shot():
    """shot(notebook, name, of=None): a picture in the folder CONSTRAINTLAB_SHOTS, if it is set."""
    folder = os.environ.get("CONSTRAINTLAB_SHOTS")

    def take(notebook, name: str, of=None) -> None:
        if folder:
            notebook.shot(Path(folder) / f"{name}.png", of)

    return take
