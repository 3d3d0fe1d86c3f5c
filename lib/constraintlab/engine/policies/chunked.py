"""Chunked prefill: a long prompt is cut into chunks, so that no step holds more than its budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from constraintlab.engine.kv.store import KVStore
from constraintlab.engine.plan import Budget, StepPlan, keep, planned, wants
from constraintlab.engine.policies.watermark import check_watermark, left_free
from constraintlab.engine.request import Request


@dataclass(frozen=True)
class Chunked:
    """Continuous batching with a bound on each step's tokens (Sarathi-Serve, OSDI'24).

    Decodes have their token first; what is left of the budget goes to prompts in order of
    arrival, the last of which may get only a part and goes on in the next step. A prompt is
    admitted once the pool has room for the whole of it. When a running request can't grow, the
    newest is preempted, and none is admitted in that step. watermark: the share of the pool
    that an admission leaves free for those who run to grow into, from 0 to less than 1; an
    empty engine ignores it.
    """

    watermark: float = 0.0

    def __post_init__(self) -> None:
        check_watermark(self.watermark)

    def plan(
        self, waiting: Sequence[Request], running: Sequence[Request], kv: KVStore, budget: Budget
    ) -> StepPlan:
        """See `Policy`."""
        tally, head, lacks = kv.tally(), None, ""
        wanted = wants(running, budget.slots)
        left = max(0, budget.tokens - wanted.count(1))
        for i, todo in enumerate(wanted):
            if todo > 1:
                wanted[i] = min(todo, left)
                left -= wanted[i]
        chunks, preempted, paused = keep(running, wanted, tally)
        if not preempted:
            for request in waiting:
                if request.held:
                    continue
                if len(chunks) + len(paused) >= budget.slots:
                    lacks = "slots"
                    break
                if not left:
                    lacks = "prefill"
                    break
                head = request
                todo = request.todo - kv.prefix(request)
                spare = left_free(self.watermark, kv) if chunks else 0
                if not tally.take(request, todo, spare):
                    lacks = "kv"
                    break
                chunks.append((request, min(todo, left)))
                left -= min(todo, left)
        return planned(chunks, preempted, paused, kv, head, lacks)
