"""`bench panel`: what the live panel costs a busy attention loop, and how many frames it draws."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from constraintlab.bench.interval import median_of
from constraintlab.bench.loop import SETTLE
from constraintlab.bench.report import Report

SECONDS = 0.8
"""Of one lap; a pair is one lap with the panel and one without. Short, since machines drift."""

PAIRS = (120, 40)
"""In a kernel, in a browser: a cost of 2% takes many to tell from the machine's own swings."""

SETUP = "from constraintlab.bench.loop import Loop\nloop = Loop()\nloop.panel"
PYTHON = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
Say = Callable[[str], object]


def run(pairs: tuple[int, int] = PAIRS, say: Say = lambda _: None) -> Report:
    """Interleaved pairs in a kernel whose messages are read, then again drawn by a real browser.

    The first is what the panel costs the machine on which the kernel runs; the second has
    Chromium, which draws without a GPU here, compete for the same cores.
    """
    from constraintlab.bench.browser import NoBrowser
    from constraintlab.limits.machine import describe

    report = Report("panel", describe())
    loop = f"naive attention into a workspace, S=1024, H=4, float32; pairs of {SECONDS:g} s"
    many, few = pairs
    say("in a kernel whose messages are read …")
    ratios, sent = in_kernel(many)
    report.add(
        "panel_throughput_ratio", median_of(ratios, "×"), f"{loop}, {many}; kernel and messages"
    )
    say("with JupyterLab in Chromium on the same cores …")
    try:
        ratios, drawn = in_browser(few)
    except (NoBrowser, ModuleNotFoundError) as missing:
        report.skip("panel_frames_per_s", str(missing))
        report.skip("panel_throughput_ratio_browser", str(missing))
        return report
    report.add(
        "panel_frames_per_s",
        median_of(drawn, "1/s"),
        f"drawn by Chromium while the cell was busy, of 10; the kernel alone sent {sent:.1f}/s",
    )
    report.add(
        "panel_throughput_ratio_browser",
        median_of(ratios, "×"),
        f"{loop}, {few}; Chromium draws without a GPU on the same cores",
    )
    return report


def _pairs(pairs: int, path: Path) -> str:
    return f"loop.pairs({pairs}, {SECONDS}, {str(path)!r})"


def in_kernel(pairs: int) -> tuple[list[float], float]:
    """(ratios with ÷ without, frames sent a second) in a kernel without a browser."""
    from jupyter_client.manager import start_new_kernel

    frames = 0

    def heard(message) -> None:
        nonlocal frames
        frames += message["msg_type"] == "comm_msg" and bool(message.get("buffers"))

    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "ratios.json"
        manager, client = start_new_kernel()
        try:
            for code in (SETUP, _pairs(pairs, path)):
                reply = client.execute_interactive(code, output_hook=heard, timeout=600)
                if reply["content"]["status"] != "ok":
                    raise RuntimeError(f"the loop failed in its kernel: {reply['content']}")
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
        return json.loads(path.read_text()), frames / ((SECONDS + SETTLE) * (pairs + 1))


def in_browser(pairs: int) -> tuple[list[float], list[float]]:
    """(ratios, frames drawn a second) with the notebook open in a headless Chromium."""
    import nbformat

    from constraintlab.bench.browser import Notebook, chromium
    from constraintlab.bench.jupyter import serve

    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        home = Path(name)
        path, folder = home / "ratios.json", home / "work"
        folder.mkdir()
        cells = [nbformat.v4.new_code_cell(code) for code in (SETUP, _pairs(pairs, path))]
        made = nbformat.v4.new_notebook(cells=cells, metadata=PYTHON)
        nbformat.write(made, folder / "bench.ipynb")
        with serve(home) as server:
            notebook = Notebook(browser, server, "bench.ipynb", height=1400)
            notebook.run_all()
            notebook.wait_frames(1, timeout=120)
            drawn = _watch(notebook, path, pairs)
            notebook.end()
        return json.loads(path.read_text()), drawn


WATCH = """() => {
    const panel = document.querySelector('.cl-panel');
    window.stamps = [];
    new MutationObserver(() => window.stamps.push(performance.now()))
        .observe(panel, {attributes: true, attributeFilter: ['data-frames']});
}"""


def _watch(notebook, done: Path, pairs: int) -> list[float]:
    """Frames a second in each lap that had the panel, from the moments at which it drew."""
    notebook.panel.scroll_into_view_if_needed()
    notebook.page.evaluate(WATCH)
    end = time.monotonic() + 60 + 3 * (SECONDS + SETTLE) * pairs
    while not done.exists():
        if time.monotonic() > end:
            raise TimeoutError(f"the loop did not end; the page says: {notebook.errors}")
        notebook.page.wait_for_timeout(500)
    return rates(notebook.page.evaluate("window.stamps"))


def rates(stamps: list[float], gap: float = 500.0) -> list[float]:
    """Frames a second of each run of stamps in ms; a pause above `gap` begins the next run."""
    found, first = [], 0
    for i in range(1, len(stamps) + 1):
        if i == len(stamps) or stamps[i] - stamps[i - 1] > gap:
            if i - first > 2:
                found.append(1e3 * (i - 1 - first) / (stamps[i - 1] - stamps[first]))
            first = i
    return found
