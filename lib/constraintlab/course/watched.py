"""`Watched`: a policy on a virtual clock, and the slots that it leaves empty while some wait."""

from __future__ import annotations

from collections.abc import Sequence

from constraintlab.course.ordered import BadOrder
from constraintlab.engine.kv.store import KVStore
from constraintlab.engine.plan import Budget, Policy, StepPlan
from constraintlab.engine.request import Request
from constraintlab.engine.virtual.clock import Clock


class Watched:
    """A policy as it is, and whether it lets slots stand idle that somebody could have had.

    lost: slot-steps. first: (step, request) of the first time. queued: seconds and tokens on the
    clock when somebody last waited. A BadOrder says in which step it was.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy, self.lost, self.queued = policy, 0, (0.0, 0)
        self.first: tuple[int, Request] | None = None
        self.clock: Clock | None = None
        self._idle, self._since = 0, 0

    def plan(
        self, waiting: Sequence[Request], running: Sequence[Request], kv: KVStore, budget: Budget
    ) -> StepPlan:
        """See `Policy`."""
        clock = self.clock
        self.lost += self._idle * (clock.steps - self._since)
        if waiting:
            self.queued = clock.now, clock.tokens
        try:
            plan = self.policy.plan(waiting, running, kv, budget)
        except BadOrder as error:
            raise type(error)(f"in step {clock.steps + 1}: {error}") from error
        could = idlers(plan, waiting, running, kv, budget)
        self._idle, self._since = len(could), clock.steps
        if could and not self.first:
            self.first = clock.steps + 1, could[0]
        return plan


def idlers(
    plan: StepPlan,
    waiting: Sequence[Request],
    running: Sequence[Request],
    kv: KVStore,
    budget: Budget,
) -> list[Request]:
    """Requests that could compute in slots that the plan leaves empty. None where the next of them
    lacks tokens of the step, or room in the pool: others need not overtake it."""
    free = budget.slots - len(plan.chunks)
    if free <= 0 or plan.waits in ("kv", "prefill"):
        return []
    going, tally, found = {r for r, _ in plan.chunks}, kv.tally(), []
    for request, n in plan.chunks:
        tally.take(request, n)
    for request in (*running, *waiting):
        if len(found) == free:
            break
        if request not in going and not request.held:
            n = request.todo - (0 if request in kv else kv.prefix(request))
            if tally.take(request, n):
                found.append(request)
    return found
