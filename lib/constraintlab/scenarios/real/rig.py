"""`Rig`: an engine with a simulated device, whose host stages can be made to cost more."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from constraintlab.engine.kv.store import KVStore
from constraintlab.engine.plan import Budget, Policy, StepPlan
from constraintlab.engine.request import Request
from constraintlab.engine.setup import Setup
from constraintlab.engine.step import Piece
from constraintlab.engine.stub import NAME, Stub
from constraintlab.engine.virtual.roofline import Roofline
from constraintlab.scenarios.real.journal import Journal


@dataclass(frozen=True)
class Rig(Setup):
    """A setup whose device takes what `roofline` says (its host seconds count for nothing).

    schedule, sample: core-seconds that the engine spends on a step and on each sequence in it
    beyond what it costs anyway; frame: the same of the front end on a token. journal: a file that
    every step is written to, for `journal.read`; none without.
    """

    model: str = NAME
    roofline: Roofline | None = None
    schedule: float = 0.0
    sample: float = 0.0
    frame: float = 0.0
    journal: str = ""

    def stub(self) -> Stub:
        """See `Setup`."""
        return Device(self.roofline) if self.roofline else super().stub()

    def scheduler(self) -> Policy:
        """See `Setup`."""
        found = super().scheduler()
        return Watched(found, self) if self.journal else found


class Device(Stub):
    """Takes as long as a roofline says; a step that is late is not made up for."""

    def __init__(self, cost: Roofline) -> None:
        super().__init__()
        self._cost = cost

    def forward(self, pieces: Sequence[Piece]) -> None:
        """Time passes."""
        end = time.monotonic() + seconds(self._cost, [(len(p.tokens), p.past, _decodes(p.request))
                                                      for p in pieces])  # fmt: skip
        while (left := end - time.monotonic()) > 0:
            time.sleep(left)


class Watched(Policy):
    """A policy whose plans are written down, and cost what its rig says."""

    def __init__(self, policy: Policy, rig: Rig) -> None:
        self._policy, self._rig = policy, rig
        self._journal: Journal | None = None

    def plan(
        self, waiting: Sequence[Request], running: Sequence[Request], kv: KVStore, budget: Budget
    ) -> StepPlan:
        """See `Policy`."""
        began, rig = time.monotonic(), self._rig
        found = self._policy.plan(waiting, running, kv, budget)
        if self._journal is None:
            self._journal = Journal(rig.journal)
        computed = [(n, r.computed, _decodes(r)) for r, n in found.chunks]
        taken = seconds(rig.roofline, computed) if computed else 0.0
        burn(rig.schedule if computed else 0.0)
        planned = time.monotonic()
        burn(rig.sample * len(computed))
        stages = planned - began, time.monotonic() - planned
        self._journal.planned(began, found, computed, waiting, running, kv, taken, stages)
        return found


def _decodes(request: Request) -> bool:
    return bool(request.output) and request.todo == 1


def seconds(device: Roofline, computed: Sequence[tuple[int, int, bool]]) -> float:
    """Of the device, for sequences with so many tokens after so many others, that decode or not."""
    keys = [past + 1 for _, past, decodes in computed if decodes]
    chunks = [(n, past) for n, past, decodes in computed if not decodes]
    host = device.schedule + device.sample * len(computed)
    return device.step(len(keys), sum(keys), chunks) - host


def burn(core_seconds: float) -> None:
    """Spend them in this thread."""
    end = time.thread_time() + core_seconds
    while time.thread_time() < end:
        pass
