"""JupyterHub comes with `constraintlab[hub]`; without it these tests skip, a failure in CI."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "hub" / "jupyterhub_config.py"
PASSWORD = "on-the-board"
STARTING = 200.0
"""Seconds that hub and engine may take on a machine with other things to do."""


@pytest.fixture(scope="session", autouse=True)
def jupyterhub():
    for package in ("jupyterhub", "configurable_http_proxy"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed: pip install 'constraintlab[hub]'")


def free_ports(n):
    """Ports that nobody listens on, all different."""
    taken = [socket.socket() for _ in range(n)]
    try:
        for s in taken:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in taken]
    finally:
        for s in taken:
            s.close()


def command(*options):
    return [sys.executable, "-m", "jupyterhub", "-f", str(CONFIG), *options]


def environment(data, **settings):
    """Ours without any setting of a hub but these."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CONSTRAINTLAB_HUB_")}
    named = {f"CONSTRAINTLAB_HUB_{k}": v for k, v in settings.items()}
    return {**kept, "CONSTRAINTLAB_HUB_DATA": str(data), **named}


class Hub:
    """A running hub: where it is, where its engine is, and its folder."""

    def __init__(self, data, **settings):
        front, proxy, hub, engine = free_ports(4)
        self.url, self.engine, self.data = f"http://127.0.0.1:{front}", engine, data
        ports = {"URL": self.url, "ENGINE_PORT": str(engine)}
        self._log = data / "hub.log"
        with open(self._log, "wb") as log:
            self.process = subprocess.Popen(
                command(
                    f"--JupyterHub.hub_port={hub}",
                    f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{proxy}",
                ),
                env=environment(data, PASSWORD=PASSWORD, **ports, **settings),
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    @property
    def said(self):
        return self._log.read_text()

    def wait(self):
        """Until it answers, and its engine does."""
        for url in (f"{self.url}/hub/login", f"http://127.0.0.1:{self.engine}/metrics"):
            end = time.monotonic() + STARTING
            while not answers(url):
                if time.monotonic() > end or self.process.poll() is not None:
                    raise RuntimeError(f"{url} does not answer:\n{self.said[-3000:]}")
                time.sleep(0.2)

    def close(self):
        """As Ctrl-C does; whatever it started and did not end is killed."""
        started = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(40)
        for left in (*started, self.process):
            with suppress(psutil.NoSuchProcess):
                left.kill()
        self.process.wait(10)


def answers(url):
    try:
        return urllib.request.urlopen(url, timeout=5).status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    running = Hub(tmp_path_factory.mktemp("hub"), ENGINE="stub@200")
    try:
        running.wait()
        yield running
    finally:
        running.close()
