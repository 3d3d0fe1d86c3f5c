"""`Cluster`: tiers that run on this machine, or on a Ray cluster that is there already."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

# Read by Ray when it starts. No word to anybody about what runs here; and replicas that are as
# nice as their clients: at Ray's own 15 the two would not share the cores of one machine evenly.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_worker_niceness", "0")

import ray
from ray import serve

from constraintlab.cluster.application import application
from constraintlab.cluster.layout import Layout
from constraintlab.serving.options import Options

CPUS, STORE = 16, 200_000_000
"""What Ray is told that this machine has, so that many small replicas fit; and bytes of its object
store: KV on its way, and nothing else."""

NAME = "constraintlab"

LIGHT = str(Path(__file__).parent / "light")
"""A folder with what Ray's own processes are to do without."""

STARTS = 4
"""How often Ray is started: its raylet waits 15 seconds for the agents beside it, which a busy
machine does not always have loaded by then."""


class Cluster:
    """Starts Ray Serve and the tiers, and waits until they answer; use it with `with`, or `close`.

    layout: served at `url` on this machine; None for Ray Serve alone, to which `start` adds any
    number of layouts under names and paths of their own. Port 0 takes a free one, or Ray Serve's
    own 8000 on a cluster.

    address: of a Ray cluster, `auto` for the one that this machine belongs to; unless given, what
    RAY_ADDRESS says; else Ray is started here, and ended by `close`. On a cluster constraintlab is
    installed on each node, and what is left there when this process ends without `close` goes on.

    wanted: asked before Ray is tried again; RuntimeError where nobody wants it any more.
    """

    def __init__(
        self,
        layout: Layout | None = None,
        address: str | None = None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self.layout, self.url = layout, ""
        options = layout.options if layout else Options(port=0)
        address = address or os.environ.get("RAY_ADDRESS")
        self._own, self._names = not address, []
        logging.getLogger("ray.serve").setLevel(logging.WARNING)
        _init(address, wanted)
        port = options.port or (_free(options.host) if self._own else 8000)
        self._at = f"http://{options.host}:{port}"
        try:
            serve.start(http_options={"host": options.host, "port": port}, logging_config=QUIET)
            if layout:
                self.url = self.start(layout, NAME, "/")
        except BaseException:
            self.close()
            raise

    def start(self, layout: Layout, name: str, prefix: str) -> str:
        """The tiers of a layout under a name and a path of their own; where they answer."""
        serve.run(application(layout), name=name, route_prefix=prefix, logging_config=QUIET)
        self._names.append(name)
        return self._at + prefix.rstrip("/")

    def stop(self, name: str) -> None:
        """End the tiers that were started under this name."""
        serve.delete(name)
        self._names.remove(name)

    def scale(self, **replicas: int) -> None:
        """Other numbers of replicas: `scale(decode=2)`. Those that stay are left alone. Returns at
        once; `look` says who is there."""
        wanted = replace(self.layout, **replicas)
        if wanted == self.layout:
            return
        self.layout = wanted
        target = serve.RunTarget(application(wanted), NAME, "/", QUIET)
        # Ray Serve would ask once a second whether all are there, a second late by half of it.
        serve.run_many([target], wait_for_applications_running=False)

    def look(self, tier: str, name: str = NAME) -> list[dict[str, float]]:
        """Every replica of a tier, as `Replica.look` has it; of a gateway its process id alone."""
        return serve.get_deployment_handle(tier, name).broadcast("look").results()

    def close(self) -> None:
        """End the applications; Ray too, where it was started here."""
        for name in list(self._names):
            self.stop(name)
        if self._own:
            serve.shutdown()
        ray.shutdown()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


QUIET = {"log_level": "WARNING", "enable_access_log": False}


def _init(address: str | None, wanted: Callable[[], bool]) -> None:
    quiet = {"namespace": NAME, "log_to_driver": False, "logging_level": "warning"}
    if address:
        ray.init(address=address, **quiet)
        return
    for left in reversed(range(STARTS)):
        try:
            with _light():
                ray.init(
                    address="local",
                    num_cpus=CPUS,
                    object_store_memory=STORE,
                    include_dashboard=False,
                    **quiet,
                )
            return
        except Exception:
            ray.shutdown()
            if not left:
                raise
            time.sleep(1)
            if not wanted():
                raise RuntimeError("Ray did not start in time, and nobody waits for it") from None


@contextmanager
def _light() -> Iterator[None]:
    """Processes that are started in here, and those that they start, find `light` first."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (LIGHT, before)))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _free(host: str) -> int:
    """A port that was free a moment ago: Ray Serve takes none by itself."""
    with socket.socket() as found:
        found.bind((host, 0))
        return found.getsockname()[1]
