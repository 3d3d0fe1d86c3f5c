"""Shortest remaining first: an oracle serves those who will be done first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from constraintlab.engine.kv.store import KVStore
from constraintlab.engine.plan import Budget, StepPlan
from constraintlab.engine.policies.ranked import ranked
from constraintlab.engine.policies.watermark import check_watermark
from constraintlab.engine.request import Request


@dataclass(frozen=True)
class Shortest:
    """Who has the fewest tokens left to write runs, and who has more pauses (SRPT).

    An oracle: it takes max_tokens for the answer's length, as if somebody knew it; it says what
    knowing would be worth. Long requests may starve under a load that never ends. watermark: as
    `Continuous` has it.
    """

    watermark: float = 0.0

    def __post_init__(self) -> None:
        check_watermark(self.watermark)

    def plan(
        self, waiting: Sequence[Request], running: Sequence[Request], kv: KVStore, budget: Budget
    ) -> StepPlan:
        """See `Policy`."""
        order = [r for r in (*running, *waiting) if not r.held]
        order.sort(key=_left)
        return ranked(order, running, kv, budget, self.watermark)


def _left(request: Request) -> int:
    return request.remaining
