"""Length classes: slots that long requests can't have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from constraintlab.engine.kv.store import KVStore
from constraintlab.engine.plan import Budget, StepPlan, keep, planned, wants
from constraintlab.engine.policies.joining import join
from constraintlab.engine.policies.watermark import check_watermark
from constraintlab.engine.request import Request


@dataclass(frozen=True)
class Classes:
    """Continuous batching, in which a share of the slots is reserved for short requests.

    A request is long if its prompt and its max_tokens are more than `long` together: it is taken
    at its word, for nothing else is known before it is served. reserved: the share of the slots
    that no long request gets, from 0 to less than 1; one slot is always left for them. Each class
    is first come, first served, and short requests pass long ones that wait. The price: reserved
    slots stand empty when nobody short comes. watermark: as `Continuous` has it.
    """

    long: float = 1000
    reserved: float = 0.25
    watermark: float = 0.0

    def __post_init__(self) -> None:
        check_watermark(self.watermark)
        if not self.long >= 1:
            raise ValueError(f"long={self.long}: give the tokens of the longest short request")
        if not 0 <= self.reserved < 1:
            raise ValueError(f"reserved={self.reserved}: give a share of the slots, 0 to below 1")

    def is_long(self, request: Request) -> bool:
        """By what it asked for."""
        return request.most >= self.long

    def plan(
        self, waiting: Sequence[Request], running: Sequence[Request], kv: KVStore, budget: Budget
    ) -> StepPlan:
        """See `Policy`."""
        tally, head, lacks = kv.tally(), None, ""
        chunks, preempted, paused = keep(running, wants(running, budget.slots), tally)
        left = max(1, budget.slots - math.ceil(self.reserved * budget.slots))
        left -= sum(map(self.is_long, running))

        def may(request: Request) -> bool:
            nonlocal left
            left -= self.is_long(request)
            return left >= 0 or not self.is_long(request)

        if not preempted:
            head, lacks = join(waiting, chunks, len(paused), kv, tally, budget, self.watermark, may)
        return planned(chunks, preempted, paused, kv, head, lacks)
