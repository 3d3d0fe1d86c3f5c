"""A load generator that lies: it says that it sends when a request is due, and waits for answers.

Many do, by a default that caps how many requests may be under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from constraintlab.load.client import Client
from constraintlab.load.job import Job
from constraintlab.load.record import Record

MOST = 8
"""Requests under way."""


class Closed(Client):
    """Sends what is due once fewer than MOST are under way, and keeps its lateness to itself: it
    says that each was due as it was sent."""

    async def _due(self, at: float) -> float | None:
        due = await super()._due(at)
        while due is not None and len(self._streams) >= MOST and not self._stopped:
            await asyncio.sleep(0.001)
        return None if due is None or self._stopped else self.now


@dataclass(frozen=True)
class ClosedJob(Job):
    """See `Job`."""

    def client(self, hear: Callable[[Record], object]) -> Client:
        """See `Job`."""
        return Closed(self.target, hear)
