"""An order of everybody: the first of it compute, whoever they are, and the others make room."""

from __future__ import annotations

from collections.abc import Sequence

from constraintlab.engine.kv.store import KVStore
from constraintlab.engine.plan import Budget, StepPlan, planned
from constraintlab.engine.policies.watermark import left_free
from constraintlab.engine.request import Phase, Request


def ranked(
    order: Sequence[Request],
    running: Sequence[Request],
    kv: KVStore,
    budget: Budget,
    watermark: float = 0.0,
) -> StepPlan:
    """The plan in which the first `budget.slots` of `order` compute.

    order: those who run or wait and are not held, the most urgent first. Whoever runs and is not
    among the first is paused: it keeps its KV, but no slot, until somebody before it in the order
    needs the room; then the last of the order is preempted, and who waits for that room is
    admitted in the next step. Decodes and whole prompts share a step, and one prompt may be longer
    than the step's tokens. For one who would find no room, though all behind it gave theirs, nobody
    is put out; those who run go on and none is admitted. The first of the order always goes on,
    unless what is held leaves no room.
    """
    booking = _Booking(order, kv)
    chosen: dict[Request, int] = {}
    left = budget.tokens - min(budget.slots, sum(r.decoding for r in booking.residents))
    prompts, head, lacks = 0, None, ""
    for request in order:
        if len(chosen) == budget.slots:
            lacks = lacks or "slots"
            break
        n, resident = request.todo, request.phase is Phase.RUNNING
        if not resident:
            n -= kv.prefix(request)
        if (lacks and not resident) or request in booking.preempted:
            continue
        decodes = resident and n == 1
        if not decodes and prompts and n > left:
            head, lacks = head or request, lacks or "prefill"
            continue
        spare = 0 if resident or not chosen else left_free(watermark, kv)
        if not booking.take(request, n, spare, chosen):
            head, lacks = head or request, lacks or "kv"
            continue
        chosen[request] = n
        if not decodes:
            left -= n
            prompts += 1
    chunks = [(r, chosen.pop(r)) for r in running if r in chosen]
    if not booking.preempted:
        chunks += chosen.items()
    going = {r for r, _ in chunks}.union(booking.preempted)
    paused = [r for r in running if r not in going]
    preempted = sorted(booking.preempted, key=lambda r: r.arrival, reverse=True)
    return planned(chunks, preempted, paused, kv, head, lacks)


class _Booking:
    """A tally, and those who give way to whoever comes before them."""

    def __init__(self, order: Sequence[Request], kv: KVStore) -> None:
        self._kv, self._tally = kv, kv.tally()
        self.residents = [r for r in order if r.phase is Phase.RUNNING]
        self.preempted: dict[Request, None] = {}

    def take(self, request: Request, n: int, spare: int, chosen: dict[Request, int]) -> bool:
        """Book `n` tokens; where there is no room, with the room of those behind it, the last of
        them first. The first of the order may put out everybody, which is why it always goes on;
        another one puts out nobody unless that makes room."""
        if self._tally.take(request, n, spare):
            return True
        at = len(self.residents)
        while at and self.residents[at - 1] is not request and self.residents[at - 1] not in chosen:
            at -= 1
        behind = self.residents[at:]
        room = self._tally.free + sum(map(self._kv.held, behind))
        if chosen and self._kv.need(request, n) + spare > room:
            return False
        while behind:
            last = behind.pop()
            self.residents.pop()
            self.preempted[last] = None
            self._tally.give(last)
            if self._tally.take(request, n, spare):
                return True
        return False
