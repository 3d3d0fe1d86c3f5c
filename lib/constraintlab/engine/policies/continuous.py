"""Continuous batching: whoever fits joins at the next step, and leaves when it has finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from constraintlab.engine.kv.store import KVStore
from constraintlab.engine.plan import Budget, StepPlan, keep, planned, wants
from constraintlab.engine.policies.joining import join
from constraintlab.engine.policies.watermark import check_watermark
from constraintlab.engine.request import Request


@dataclass(frozen=True)
class Continuous:
    """First come, first served, step by step (iteration-level scheduling: Orca, OSDI'22).

    Decodes come first, and prompts that fit join them in the same step: whole prompts, as many
    as the budget's tokens allow, but always one, so that no prompt is too long to be admitted.
    When a decode can't grow, the newest running request is preempted, and none is admitted in
    that step. watermark: the share of the pool that an admission leaves free for those who run
    to grow into, from 0 to less than 1; an empty engine ignores it.
    """

    watermark: float = 0.0

    def __post_init__(self) -> None:
        check_watermark(self.watermark)

    def plan(
        self, waiting: Sequence[Request], running: Sequence[Request], kv: KVStore, budget: Budget
    ) -> StepPlan:
        """See `Policy`."""
        tally, head, lacks = kv.tally(), None, ""
        chunks, preempted, paused = keep(running, wants(running, budget.slots), tally)
        if not preempted:
            head, lacks = join(waiting, chunks, len(paused), kv, tally, budget, self.watermark)
        return planned(chunks, preempted, paused, kv, head, lacks)
