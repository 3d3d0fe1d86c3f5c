"""Notebooks in a real JupyterLab in a real headless Chromium."""

from __future__ import annotations

import base64
import os
import shutil
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest

from constraintlab.bench import browser as browsing
from constraintlab.bench.jupyter import serve
from constraintlab.panel.palette import THEMES, inks
from constraintlab.panel.raster import rgb

ROOT = Path(__file__).resolve().parents[2]
PIXELS = """(canvas) => {
    const { width, height } = canvas;
    const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
    let text = '';
    for (let i = 0; i < data.length; i += 8192)
        text += String.fromCharCode(...data.subarray(i, i + 8192));
    return [width, height, btoa(text)];
}"""


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


class Page(browsing.Notebook):
    """A notebook with what the tests ask of a panel's canvases: maps, lanes, stream, latency."""

    def chart(self, name: str):
        return self.panel.locator(f".cl-{name} .cl-chart")

    def drawn(self, name: str) -> int:
        """How often a canvas was drawn."""
        found = self.chart(name)
        return int(found.get_attribute("data-drawn") or 0) if found.count() else 0

    def wait_drawn(self, n: int = 1) -> None:
        for name in ("maps", "lanes", "stream", "latency"):
            self.page.wait_for_function(
                f"document.querySelector('.cl-{name} .cl-chart')?.dataset.drawn >= {n}",
                timeout=60_000,
            )

    def pixels(self, canvas) -> np.ndarray:
        """[height, width, 4] of a canvas, or of the first one of a view."""
        if isinstance(canvas, str):
            canvas = self.chart(canvas).locator("canvas").first
        width, height, raw = canvas.evaluate(PIXELS)
        return np.frombuffer(base64.b64decode(raw), np.uint8).reshape(height, width, 4)


@pytest.fixture(scope="session")
def open_for(browser, server):
    """`with open_for(path, theme=…, width=…) as page`; checked to be clean at the end."""

    @contextmanager
    def open_(path: str, **look):
        page = Page(browser, server, path, **look)
        try:
            yield page
        finally:
            page.end()
        assert page.outside == [], f"the page asked for {page.outside}"
        assert page.errors == [], page.errors

    return open_


@pytest.fixture
def open_notebook(open_for):
    """open_notebook(path, theme=…, width=…) → Page, until the test is over."""
    with ExitStack() as stack:
        yield lambda path, **look: stack.enter_context(open_for(path, **look))


@pytest.fixture
def inks_of():
    """(ground, tones) of a theme as (r, g, b)."""

    def of(theme: str):
        return rgb(THEMES[theme]["card"]), {rgb(tone) for tone in inks(theme)["tones"]}

    return of


@pytest.fixture
def shot():
    """shot(notebook, name, of=None): a picture in the folder CONSTRAINTLAB_SHOTS, if it is set."""
    folder = os.environ.get("CONSTRAINTLAB_SHOTS")

    def take(notebook, name: str, of=None) -> None:
        if folder:
            notebook.shot(Path(folder) / f"{name}.png", of)

    return take
