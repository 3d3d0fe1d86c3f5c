"""`Cluster`: tiers that run on this machine, or on a Ray cluster that is there already."""

from __future__ import annotations

import os
import socket
from dataclasses import replace

# No word to anybody about what runs here; read by Ray when it starts.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray
from ray import serve

from constraintlab.cluster.application import application
from constraintlab.cluster.layout import Layout

STORE = 200_000_000
"""Bytes of Ray's object store on this machine: KV on its way, and nothing else."""

NAME = "constraintlab"


class Cluster:
    """Starts Ray Serve and the tiers, and waits until they answer; use it with `with`, or `close`.

    address: of a Ray cluster, `auto` for the one that this machine belongs to; None starts Ray
    here, and ends it. On a cluster constraintlab is installed on each node; what is left of its
    applications when this process ends is up to Ray. url: where the gateway listens on this
    machine. Several layouts run side by side under names of their own (`start`).
    """

    def __init__(self, layout: Layout | None = None, address: str | None = None) -> None:
        layout = layout or Layout()
        options = layout.options
        self._own, self._names = address is None, []
        room = {"num_cpus": 16, "object_store_memory": STORE, "include_dashboard": False}
        ray.init(
            address=address,
            namespace=NAME,
            log_to_driver=False,
            logging_level="warning",
            **(room if self._own else {}),
        )
        port = options.port or _free(options.host)
        self._at = f"http://{options.host}:{port}"
        try:
            serve.start(http_options={"host": options.host, "port": port}, logging_config=QUIET)
            self.layout, self.url = layout, self.start(layout, NAME, "/")
        except BaseException:
            self.close()
            raise

    def start(self, layout: Layout, name: str, prefix: str) -> str:
        """The tiers of a layout under a name and a path of their own; where they answer."""
        serve.run(application(layout), name=name, route_prefix=prefix, logging_config=QUIET)
        self._names.append(name)
        return self._at + prefix.rstrip("/")

    def scale(self, **replicas: int) -> None:
        """Other numbers of replicas: `scale(decode=2)`. Those that stay are left alone."""
        self.layout = replace(self.layout, **replicas)
        serve.run(application(self.layout), name=NAME, route_prefix="/", logging_config=QUIET)

    def look(self, tier: str, name: str = NAME) -> list[dict[str, float]]:
        """Every replica of `prefill` or `decode`, as `Replica.look` has it."""
        return serve.get_deployment_handle(tier, name).broadcast("look").results()

    def close(self) -> None:
        """End the applications; Ray too, where it was started here."""
        for name in self._names:
            serve.delete(name)
        self._names.clear()
        if self._own:
            serve.shutdown()
        ray.shutdown()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


QUIET = {"log_level": "WARNING", "enable_access_log": False}


def _free(host: str) -> int:
    """A port that was free a moment ago: Ray Serve takes none by itself."""
    with socket.socket() as found:
        found.bind((host, 0))
        return found.getsockname()[1]
