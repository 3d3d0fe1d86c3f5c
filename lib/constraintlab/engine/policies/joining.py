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
) -> Request | None:
    """Add to `chunks` those who fit: a slot, the tokens that the step has left, though one prompt
    may be longer than that, and room in the pool. may: who is passed over when it says no. Nobody
    else overtakes. Returns the last one that was looked at, None if there was none.
    """
    head, running = None, len(chunks)
    left = budget.tokens - running
    for request in waiting:
        if len(chunks) + paused >= budget.slots:
            break
        if request.held or not may(request):
            continue
        head = request
        n = request.todo - kv.prefix(request)
        spare = left_free(watermark, kv) if chunks else 0
        if (len(chunks) > running and n > left) or not tally.take(request, n, spare):
            break
        chunks.append((request, n))
        left -= n
    return head
