"""Static batching: a batch is admitted when the one before has entirely finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from constraintlab.engine.kv.store import KVStore
from constraintlab.engine.plan import Budget, StepPlan, keep, planned, wants
from constraintlab.engine.request import Request


@dataclass(frozen=True)
class Static:
    """First come, first served, a batch at a time; each batch waits for its longest answer.

    Whole prompts are computed on admission, as many as the budget's tokens allow, but always
    one. When a decode can't grow, the newest of the batch is preempted and waits for the next.
    """

    def plan(
        self, waiting: Sequence[Request], running: Sequence[Request], kv: KVStore, budget: Budget
    ) -> StepPlan:
        """See `Policy`."""
        tally, lacks = kv.tally(), ""
        chunks, preempted, paused = keep(running, wants(running, budget.slots), tally)
        if running and any([not r.held for r in waiting]):
            lacks = "slots"
        if not running:
            left = budget.tokens
            for request in waiting:
                if request.held:
                    continue
                n = request.todo - kv.prefix(request)
                if len(chunks) >= budget.slots:
                    lacks = "slots"
                elif chunks and n > left:
                    lacks = "prefill"
                elif not tally.take(request, n):
                    lacks = "kv"
                if lacks:
                    break
                chunks.append((request, n))
                left -= n
        return planned(chunks, preempted, paused, kv, waits=lacks)
