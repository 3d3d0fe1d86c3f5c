"""Skip-join MLFQ: who has had little service comes first, whatever it will need in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from constraintlab.engine.kv.store import KVStore
from constraintlab.engine.plan import Budget, StepPlan
from constraintlab.engine.policies.ranked import ranked
from constraintlab.engine.policies.watermark import check_watermark
from constraintlab.engine.request import Request


@dataclass(frozen=True)
class MLFQ:
    """A multi-level feedback queue that requests join where their prompts put them (FastServe).

    Level k takes 2^k · `quantum` tokens of a request; then it falls to the next. A prompt counts
    as served before it is: a token of it as much as `prompt` output tokens, so a long one skips
    the levels that it would use up at once. Lower levels first, and in a level who came first. No
    length is known beforehand: the long show by becoming long.

    elders: slots of those who came first of all, whatever their level. So nobody starves: once all
    who came before it are done, a request has a slot until it is done. It ends after at most as
    many steps as it and those before it had tokens left to write when it came, and one more for
    each, in which room is made for it.
    watermark: as `Continuous` has it. Raises ValueError for values that make no levels.
    """

    quantum: float = 32
    elders: float = 1
    prompt: float = 0.1
    watermark: float = 0.0

    def __post_init__(self) -> None:
        check_watermark(self.watermark)
        for name, value in (("quantum", self.quantum), ("elders", self.elders)):
            least = 1 if name == "quantum" else 0
            if value != int(value) or value < least:
                raise ValueError(f"{name}={value}: give a whole number, {least} or more")
        if not 0 <= self.prompt < 1e6:
            raise ValueError(f"prompt={self.prompt}: give what a prompt's token counts, 0 or more")

    def served(self, request: Request) -> int:
        """Tokens that it had, or will have had with its prompt."""
        return len(request.output) + int(self.prompt * len(request.prompt))

    def level(self, request: Request) -> int:
        """0 and up."""
        return (self.served(request) // int(self.quantum) + 1).bit_length() - 1

    def until_next(self, request: Request) -> int:
        """Tokens until it falls to the next level."""
        return int(self.quantum) * ((2 << self.level(request)) - 1) - self.served(request)

    def plan(
        self, waiting: Sequence[Request], running: Sequence[Request], kv: KVStore, budget: Budget
    ) -> StepPlan:
        """See `Policy`."""
        order = [r for r in (*running, *waiting) if not r.held]
        order.sort(key=_arrival)
        first = int(self.elders)
        order[first:] = sorted(order[first:], key=self.level)
        plan = ranked(order, running, kv, budget, self.watermark)
        if plan.horizon > 1 and len(order) > len(plan.chunks):
            falls = min([self.until_next(r) for r, _ in plan.chunks])
            return replace(plan, horizon=min(plan.horizon, falls))
        return plan


def _arrival(request: Request) -> float:
    return request.arrival
