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

        options = replace(layout.options, name=layout.name)
        self.front = Front(layout.setup, options, backend=tiers)
        await self.front.start()
        self.web = app(self.front)

    def reconfigure(self, told: dict[str, int]) -> None:
        """Ray Serve tells it, without starting it anew, how many slots its requests have."""
        backend, slots = self.front.backend, told["slots"]
        backend.facts = backend.facts._replace(slots=slots)
        self.front.gate.slots = slots

    async def look(self) -> dict[str, float]:
        """This replica now: its process id."""
        return {"pid": os.getpid()}

    def __serve_build_asgi_app__(self) -> Callable:
        """What `serve.ingress()` without an application asks for, once there is a gateway."""
        return self.web
