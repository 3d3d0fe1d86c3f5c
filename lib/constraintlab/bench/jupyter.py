"""`serve`: a JupyterLab of its own on a free port, for benches and browser tests."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

STARTING = 60.0
"""Seconds that JupyterLab may take to answer."""


@dataclass(frozen=True)
class Server:
    """A running JupyterLab: where it is, its token, the folder that it shows."""

    url: str
    token: str
    folder: Path

    def call(self, path: str, method: str = "GET", body: object = None):
        """Ask its REST interface (`api/sessions`); returns the JSON, None for an empty answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/{path}?token={self.token}", data=data, method=method
        )
        answer = urllib.request.urlopen(request, timeout=20).read()
        return json.loads(answer) if answer else None

    def theme(self, name: str) -> None:
        """`light` or `dark`, for pages opened from now on."""
        raw = json.dumps({"theme": f"JupyterLab {name.title()}"})
        where = "lab/api/settings/@jupyterlab/apputils-extension:themes"
        self.call(where, "PUT", {"raw": raw})

    def shut_kernels(self) -> None:
        """Shut every kernel down, whatever it is doing."""
        for session in self.call("api/sessions"):
            self.call(f"api/sessions/{session['id']}", "DELETE")


@contextmanager
def serve(home: Path, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """JupyterLab over `home / "work"` with all its own files in `home`; it ends with the block.

    Raises RuntimeError with the server's last words when it does not start.
    """
    folder, config = home / "work", home / "config"
    folder.mkdir(exist_ok=True)
    (config / "labconfig").mkdir(parents=True)
    off = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (config / "labconfig" / "page_config.json").write_text(json.dumps(off))
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    token = secrets.token_hex(8)
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}",
        f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}",
        "--LabApp.extension_manager=readonly", "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    own = {
        "HOME": str(home), "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTER_DATA_DIR": str(home / "data"), "JUPYTER_RUNTIME_DIR": str(home / "run"),
        "CONSTRAINTLAB_HOME": str(home / "constraintlab"),
    }  # fmt: skip
    log = home / "server.log"
    with open(log, "wb") as out:
        env = {**os.environ, **own, **(environment or {})}
        running = subprocess.Popen(command, env=env, stdout=out, stderr=out)
    server = Server(f"http://127.0.0.1:{port}", token, folder)
    try:
        _wait_for(server, running, log)
        yield server
    finally:
        running.terminate()
        try:
            running.wait(20)
        except subprocess.TimeoutExpired:
            running.kill()


def _wait_for(server: Server, running: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + STARTING
    while time.monotonic() < end and running.poll() is None:
        try:
            server.call("api")
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start: {log.read_text()[-1500:]}")
