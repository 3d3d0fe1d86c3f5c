"""A real JupyterLab in a real headless Chromium, with every way to the internet closed."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip


@pytest.fixture(scope="session")
def browser():
    """Chromium, driven by Playwright."""
    path = next((p for name in BROWSERS if (p := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium found: install Debian's or Ubuntu's package `chromium`")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=path, args=ARGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """JupyterLab over a copy of labs/ and of the fixtures; (url, token, folder)."""
    home = tmp_path_factory.mktemp("home")
    work = home / "work"
    shutil.copytree(ROOT / "labs", work / "labs")
    shutil.copytree(Path(__file__).parent / "fixtures", work / "fixtures")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    token = secrets.token_hex(8)
    quiet = home / "config" / "labconfig"
    quiet.mkdir(parents=True)
    off = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (quiet / "page_config.json").write_text(json.dumps(off))
    env = os.environ | {
        "HOME": str(home), "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"), "JUPYTER_RUNTIME_DIR": str(home / "run"),
        "CONSTRAINTLAB_PRESET": os.environ.get("CONSTRAINTLAB_PRESET", "ci"),
        "CONSTRAINTLAB_HOME": str(home / "constraintlab"),
    }  # fmt: skip
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}",
        f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={work}",
        "--LabApp.extension_manager=readonly", "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    with open(home / "server.log", "wb") as log:
        running = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{url}/api?token={token}", home / "server.log")
        yield url, token, work
    finally:
        running.terminate()
        running.wait(20)


def _wait_for(url: str, log: Path) -> None:
    for _ in range(240):
        try:
            urllib.request.urlopen(url, timeout=1).read()
            return
        except OSError:
            time.sleep(0.25)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


class Notebook:
    """One notebook open in JupyterLab: run cells, read them, take pictures."""

    def __init__(self, page, url: str, token: str, path: str) -> None:
        self.page, self.outside, self.errors = page, [], []
        self.api = lambda what, **kw: _call(f"{url}/api/{what}", token, **kw)
        page.route(re.compile(r"^(?!http://127\.0\.0\.1|data:|blob:)"), self._refuse)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(f"page error: {error}"))
        page.goto(f"{url}/lab/tree/{path}?token={token}")
        page.wait_for_selector(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell", timeout=60_000)
        page.evaluate("""async () => {
            const { context, sessionContext } = jupyterapp.shell.currentWidget;
            await context.ready;
            await sessionContext.ready;
            await sessionContext.session.kernel.info;
        }""")

    def _refuse(self, route) -> None:
        self.outside.append(route.request.url)
        route.abort()

    def _console(self, message) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def run_all(self) -> None:
        self.page.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")

    def status(self) -> str:
        """What the server says of the kernel: busy, idle, starting, … ."""
        return next((s["kernel"]["execution_state"] for s in self.api("sessions")), "none")

    def wait_busy(self, timeout: float = 20) -> None:
        self._wait("busy", timeout)

    def wait_idle(self, timeout: float = 120) -> None:
        self._wait("idle", timeout)

    def _wait(self, wanted: str, timeout: float) -> None:
        end = time.monotonic() + timeout
        quiet = 0
        while time.monotonic() < end:
            quiet = quiet + 1 if self.status() == wanted else 0
            if quiet >= (4 if wanted == "idle" else 1):
                return
            self.page.wait_for_timeout(100)
        pytest.fail(f"the kernel was not {wanted} within {timeout} s (it is {self.status()})")

    @property
    def panel(self):
        return self.page.locator(".cl-panel").first

    def save(self) -> None:
        self.page.evaluate("jupyterapp.commands.execute('docmanager:save')")

    def shot(self, name: str, of=None) -> Path:
        """A picture in the folder CONSTRAINTLAB_SHOTS, if that is set."""
        folder = os.environ.get("CONSTRAINTLAB_SHOTS")
        if not folder:
            return None
        path = Path(folder) / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        (of or self.page).screenshot(path=str(path))
        return path

    def end(self) -> None:
        """Close the page and shut its kernel down, whatever it is doing."""
        self.page.context.close()
        for session in self.api("sessions"):
            self.api(f"sessions/{session['id']}", method="DELETE")

    def clean(self) -> None:
        """No console error, and nothing asked for beyond this machine."""
        assert self.outside == [], f"the page asked for {self.outside}"
        assert self.errors == [], self.errors


@pytest.fixture
def open_notebook(browser, server):
    """open_notebook(path, theme=…, width=…) → Notebook; checked to be clean at the end."""
    url, token, _ = server
    opened = []

    def open_(path: str, *, theme: str = "light", width: int = 1280, height: int = 1000,
              motion: str = "no-preference"):  # fmt: skip
        set_theme(server, theme)
        context = browser.new_context(
            viewport={"width": width, "height": height}, reduced_motion=motion
        )
        opened.append(Notebook(context.new_page(), url, token, path))
        return opened[-1]

    yield open_
    for notebook in opened:
        notebook.end()
    for notebook in opened:
        notebook.clean()


def set_theme(server, theme: str) -> None:
    """JupyterLab's own theme setting, through its REST interface."""
    url, token, _ = server
    name = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}[theme]
    _call(f"{url}/lab/api/settings/@jupyterlab/apputils-extension:themes", token,
          method="PUT", body={"raw": json.dumps({"theme": name})})  # fmt: skip


def _call(url: str, token: str, method: str = "GET", body: dict | None = None):
    """Ask JupyterLab's REST interface; returns the answer's JSON, None when it has none."""
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(f"{url}?token={token}", data=data, method=method)
    answer = urllib.request.urlopen(request, timeout=20).read()
    return json.loads(answer) if answer else None
