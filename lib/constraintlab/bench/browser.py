"""`Notebook`: a notebook open in JupyterLab in a real headless Chromium, the internet shut out."""

from __future__ import annotations

import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from constraintlab.bench.jupyter import Server

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
READY = """() => Promise.race([
    new Promise((late) => setTimeout(late, 60_000)),
    (async () => {
        const { context, sessionContext } = jupyterapp.shell.currentWidget;
        await context.ready;
        await sessionContext.ready;
        await sessionContext.session.kernel.info;
        return true;
    })(),
])"""
OUTPUTS = """() => jupyterapp.shell.currentWidget.content.model.sharedModel.cells.map((cell) =>
    (cell.outputs ?? []).map((o) => [o.output_type, o.text ?? o.data?.["text/plain"] ?? o.evalue]))
"""
RUN = """async ([first, end]) => {
    const book = jupyterapp.shell.currentWidget.content;
    for (let i = first; i < end; i++) {
        book.activeCellIndex = i;
        await jupyterapp.commands.execute('notebook:run-cell');
    }
}"""
BUSY = """() => jupyterapp.shell.currentWidget.content.widgets.some(
    (cell) => cell.model.executionState === 'running')"""
PAGE = """() => {
    const { content, sessionContext } = jupyterapp.shell.currentWidget;
    const kernel = sessionContext.session?.kernel;
    return `${kernel?.id.slice(0, 8)} ${kernel?.connectionStatus} ${kernel?.status}, `
        + `prompts [${content.widgets.map((cell) => cell.prompt)}], `
        + `dialogs [${[...document.querySelectorAll('.jp-Dialog')].map((d) => d.innerText)}]`;
}"""
OUTSIDE = re.compile(r"^(?!http://127\.0\.0\.1|data:|blob:)")


class NoBrowser(RuntimeError):
    """No Chromium or no Playwright here; the message says what to install."""


@contextmanager
def chromium() -> Iterator:
    """Chromium, driven by Playwright. Raises NoBrowser where either is missing."""
    path = next((p for name in NAMES if (p := shutil.which(name))), None)
    if path is None:
        raise NoBrowser("no Chromium found: install Debian's or Ubuntu's package `chromium`")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise NoBrowser("no Playwright: `pip install 'constraintlab[test]'`") from error
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=path, args=ARGS)
        yield browser
        browser.close()


class Notebook:
    """One notebook of `server` open in `browser`: run its cells, look at its panel.

    `errors`: what the page's console complained of. `outside`: what it asked of other machines.
    """

    def __init__(
        self,
        browser,
        server: Server,
        path: str,
        *,
        theme: str = "light",
        width: int = 1280,
        height: int = 1000,
        motion: str = "no-preference",
    ) -> None:
        server.theme(theme)
        self.server, self.outside, self.errors = server, [], []
        size = {"width": width, "height": height}
        self.context = browser.new_context(viewport=size, reduced_motion=motion)
        self.page = self.context.new_page()
        self.page.route(OUTSIDE, self._refuse)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(f"page error: {error}"))
        # In a workspace of its own, or JupyterLab brings back the tabs of the page before.
        workspace = f"{server.url}/lab/workspaces/{secrets.token_hex(4)}"
        self.page.goto(f"{workspace}/tree/{path}?token={server.token}")
        self.wait_ready()

    def wait_ready(self) -> None:
        """Until the notebook is shown and its kernel answers."""
        self.page.wait_for_selector(
            ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell", timeout=60_000
        )
        ready = self.page.evaluate(READY)
        if ready is not True:
            raise TimeoutError("the notebook's kernel did not start within 60 s")

    def _refuse(self, route) -> None:
        self.outside.append(route.request.url)
        route.abort()

    def _console(self, message) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def run_all(self) -> None:
        """Start all cells, without waiting for them."""
        self.page.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")

    def run_cells(self, first: int, end: int) -> None:
        """Run the cells `first` to `end` - 1 and wait for them."""
        self.page.evaluate(RUN, [first, end])

    def show_cell(self, index: int) -> None:
        """Scroll to a cell, at the top of the page."""
        book = "jupyterapp.shell.currentWidget.content"
        self.page.evaluate(f"i => {book}.scrollToItem(i, 'start')", index)

    def save(self) -> None:
        self.page.evaluate("jupyterapp.commands.execute('docmanager:save')")

    @property
    def busy(self) -> bool:
        """True while a cell runs or waits for its turn.

        From the cells: the server's idea of the kernel follows its last message, whichever it
        was, and says `idle` for a while when a cell has just begun.
        """
        return self.page.evaluate(BUSY)

    def wait_idle(self, timeout: float = 120.0) -> None:
        """Until no cell has been running for half a second. Raises TimeoutError."""
        end, quiet = time.monotonic() + timeout, 0
        while time.monotonic() < end:
            quiet = 0 if self.busy else quiet + 1
            if quiet >= 5:
                return
            self.page.wait_for_timeout(100)
        raise TimeoutError(f"a cell still runs after {timeout:g} s: {self.page.evaluate(PAGE)}")

    @property
    def panel(self):
        """The first panel of the notebook."""
        return self.page.locator(".cl-panel").first

    def frames(self) -> int:
        """Frames that the panel has drawn so far."""
        return int(self.panel.get_attribute("data-frames") or 0)

    def wait_frames(self, n: int, timeout: float = 60.0) -> None:
        """Until the panel has drawn `n` frames. Raises TimeoutError with what the page says."""
        from playwright.sync_api import TimeoutError as TooLate

        drawn = "Number(document.querySelector('.cl-panel')?.dataset.frames)"
        try:
            self.page.wait_for_function(f"{drawn} >= {n}", timeout=1e3 * timeout)
        except TooLate as error:
            raise TimeoutError(
                f"no {n} frames within {timeout:g} s: the console said {self.errors}, the cells "
                f"{self.outputs()}, the page {self.page.evaluate(PAGE)}"
            ) from error

    def theme(self, name: str) -> None:
        """`light` or `dark`, on the page as it is."""
        theme = {"theme": f"JupyterLab {name.title()}"}
        self.page.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', theme)", theme
        )

    def outputs(self) -> list[list]:
        """[type, text] of each output of each cell, as the page holds them."""
        cells = self.page.evaluate(OUTPUTS)
        return [[[kind, "".join(text or "")] for kind, text in cell] for cell in cells]

    def end(self) -> None:
        """Close the page and shut the kernels down."""
        self.context.close()
        self.server.shut_kernels()

    def shot(self, path: Path, of=None) -> None:
        """A picture of the page, or of a part of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        (of or self.page).screenshot(path=str(path))
