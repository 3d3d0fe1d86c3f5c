"""Shortest first: an oracle lets those in first who will be done first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from constraintlab.engine.kv.store import KVStore
from constraintlab.engine.plan import Budget, StepPlan, horizon, keep, wants
from constraintlab.engine.policies.watermark import check_watermark, left_free
from constraintlab.engine.request import Request


@dataclass(frozen=True)
class Shortest:
    """Continuous batching whose queue is in the order of the tokens that are left to write.

    An oracle: it takes max_tokens for the answer's length, as if somebody knew it; it says what
    knowing would be worth. Who runs stays: nobody is put out for a shorter one. Those at the end
    of the queue may starve under a load that never ends. watermark: as `Continuous` has it.
    """

    watermark: float = 0.0

    def __post_init__(self) -> None:
        check_watermark(self.watermark)

    def plan(
        self, waiting: Sequence[Request], running: Sequence[Request], kv: KVStore, budget: Budget
    ) -> StepPlan:
        """See `Policy`."""
        tally, head = kv.tally(), None
        chunks, preempted, paused = keep(running, wants(running), tally)
        if not preempted and len(chunks) + len(paused) < budget.slots:
            left = budget.tokens - len(chunks)
            for request in sorted(waiting, key=_left):
                if len(chunks) + len(paused) >= budget.slots:
                    break
                if request.held:
                    continue
                head = request
                n = request.todo - kv.prefix(request)
                spare = left_free(self.watermark, kv) if chunks else 0
                joined = len(chunks) + len(paused) > len(running)
                if (joined and n > left) or not tally.take(request, n, spare):
                    break
                chunks.append((request, n))
                left -= n
        return StepPlan(chunks, preempted, paused, horizon(chunks, running, kv, head))


def _left(request: Request) -> int:
    return request.remaining
