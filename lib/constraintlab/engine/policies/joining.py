"""How whoever waits joins whoever runs: whole prompts, in the order of the queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from constraintlab.engine.kv.store import KVStore, Tally
from constraintlab.engine.plan import Budget, Chunk
from constraintlab.engine.policies.watermark import left_free
from constraintlab.engine.request import Request


def join(
    waiting: Iterable[Request],
    chunks: list[Chunk],
    paused: int,
    kv: KVStore,
    tally: Tally,
    budget: Budget,
    watermark: float,
    may: Callable[[Request], bool] = lambda request: True,
) -> tuple[Request | None, str]:
    """Add to `chunks` those who fit: a slot, the tokens that the step has left, though one prompt
    may be longer than that, and room in the pool. may: who is passed over when it says no. Nobody
    else overtakes. Returns the last one that was looked at, None if there was none, and what the
    first that goes on waiting lacks, as `StepPlan.waits` has it.
    """
    head, lacks, running = None, "", len(chunks)
    left = budget.tokens - running
    for request in waiting:
        if request.held:
            continue
        if len(chunks) + paused >= budget.slots:
            return head, "slots"
        if not may(request):
            lacks = "slots"
            continue
        head = request
        n = request.todo - kv.prefix(request)
        if len(chunks) > running and n > left:
            return head, lacks or "prefill"
        if not tally.take(request, n, left_free(watermark, kv) if chunks else 0):
            return head, lacks or "kv"
        chunks.append((request, n))
        left -= n
    return head, lacks
