"""The gateway tier: the HTTP interface, tokenising, admission, framing. No tensors."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from ray.serve.handle import DeploymentHandle

from constraintlab.cluster.backend import TierBackend
from constraintlab.cluster.layout import Layout
from constraintlab.engine.setup import Setup
from constraintlab.serving.app import app
from constraintlab.serving.front import Front


class Gateway:
    """A replica: `serving`'s front end, with the tiers where one machine's engine would be. web:
    its ASGI application."""

    async def __init__(
        self, layout: Layout, prefill: DeploymentHandle, decode: DeploymentHandle
    ) -> None:
        def tiers(setup: Setup, front: Front) -> TierBackend:
            return TierBackend(setup, front, prefill, decode, layout.retries)

        front = Front(layout.front, replace(layout.options, name=layout.name), backend=tiers)
        await front.start()
        self.web = app(front)

    async def look(self) -> dict[str, float]:
        """This replica now: its process id."""
        return {"pid": os.getpid()}

    def __serve_build_asgi_app__(self) -> Callable:
        """What `serve.ingress()` without an application asks for, once there is a gateway."""
        return self.web
