"""`Clock`: the engine's loop without an engine: requests come, plans are carried out, time passes.

A plan that holds for many steps is carried out in one leap, up to the step in which the next
request comes: a million requests with a thousand tokens each take minutes.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable

from constraintlab.engine.kv.store import KVStore
from constraintlab.engine.ledger import Ledger
from constraintlab.engine.plan import Budget, Policy, StepPlan
from constraintlab.engine.virtual.cost import StepCost
from constraintlab.engine.virtual.ghost import Ghost
from constraintlab.engine.virtual.speed import Speed


class Clock:
    """now: virtual seconds. on_end: called with each request that has ended, in that order. speed:
    of the machine, moment by moment; without it a step takes what it costs.

    The policy sees what it sees in the real engine (`engine.loop`); nothing is ever held.
    """

    def __init__(
        self,
        policy: Policy,
        kv: KVStore,
        budget: Budget,
        cost: StepCost,
        on_end: Callable[[Ghost], object] = lambda ghost: None,
        speed: Speed | None = None,
    ) -> None:
        self.policy, self.kv, self.budget, self.cost = policy, kv, budget, cost
        self.now, self.steps, self.plans, self.tokens, self.lost = 0.0, 0, 0, 0, 0
        self.waiting: deque[Ghost] = deque()
        self.running: list[Ghost] = []
        self.ledger = Ledger()
        self._on_end, self._speed = on_end, speed

    def run(self, coming: Iterable[Ghost]) -> float:
        """Until the last of those that come, in order of arrival, has ended; returns `now`.

        ValueError for one that the store can never hold, or that comes before the one before it.
        """
        queue = iter(coming)
        head = next(queue, None)
        while head is not None or self.waiting or self.running:
            if not self.waiting and not self.running:
                self.now = max(self.now, head.arrival)
            while head is not None and head.arrival <= self.now:
                self._submit(head)
                after = next(queue, None)
                if after is not None and after.arrival < head.arrival:
                    raise ValueError(f"request {after.id} comes before {head.id}: sort them")
                head = after
            plan = self.policy.plan(self.waiting, self.running, self.kv, self.budget)
            self.plans += 1
            if plan.horizon > 1 and all([g.output.n for g, _ in plan.chunks]):
                self._leap(plan, head.arrival if head is not None else math.inf)
            else:
                self._step(plan)
        return self.now

    def _submit(self, ghost: Ghost) -> None:
        why = self.kv.refuse(ghost)
        if why:
            raise ValueError(f"request {ghost.id}: {why}")
        self.waiting.append(ghost)
        self.ledger.came(ghost)

    def _leap(self, plan: StepPlan, until: float) -> None:
        """All who compute decode, for as long as the plan holds or to the next arrival."""
        self.ledger.planned(plan, ())
        grow = self.kv.grow
        keys = sum([g.computed + 1 for g, _ in plan.chunks])
        n, many = plan.horizon, len(plan.chunks)
        if until < math.inf:
            n = self.cost.within(self._work(until), n, many, keys)
        took = self._pass(self.cost.steps(n, many, keys))
        self.ledger.passed(took, plan.waits)
        self.steps += n
        self.tokens += n * many
        ended = False
        for ghost, _ in plan.chunks:
            grow(ghost, n)
            ended |= ghost.decode(n)
        if ended:
            self._leave()

    def _step(self, plan: StepPlan) -> None:
        """In the order of `engine.loop`: preempted, admitted, grown."""
        for ghost in plan.preempted:
            self.running.remove(ghost)
            self.kv.release(ghost)
            self.lost += ghost.computed
            ghost.preempt()
            ghost.preemptions += 1
            self.waiting.appendleft(ghost)
        admitted = plan.admitted
        self.ledger.planned(plan, admitted)
        for ghost in admitted:
            self.waiting.remove(ghost)
            ghost.admit(self.kv.attach(ghost))
            if ghost.admitted != ghost.admitted:  # the first time
                ghost.admitted = self.now
            self.running.append(ghost)
        decodes = keys = 0
        chunks, drawing = [], []
        ended, grow = False, self.kv.grow
        for ghost, n in plan.chunks:
            grow(ghost, n)
            if n == 1 and ghost.output.n:
                decodes += 1
                keys += ghost.computed + 1
                if not ghost.preemptions:  # else it may be the last of what it computes again
                    ended |= ghost.decode(1)
                    self.tokens += 1
                    continue
            else:
                chunks.append((n, ghost.computed))
            ghost.advance(n)
            if not ghost.todo:
                drawing.append(ghost)
        self.tokens += len(drawing)
        if plan.chunks:
            work = self.cost.step(decodes, keys, chunks)
            took = self._pass(work)
            self.steps += 1
            share = 1 - self.cost.step(decodes, keys) / work if chunks and decodes else 0.0
            self.ledger.passed(took, plan.waits, took * share)
        for ghost in drawing:
            if not ghost.output.n:
                ghost.first = self.now
            self.ledger.drew(ghost)
            ended |= ghost.write(1)
        if ended:
            self._leave()

    def _work(self, until: float) -> float:
        """Seconds of work that can be done up to then."""
        if self._speed is None:
            return until - self.now
        return self._speed.work(until) - self._speed.work(self.now)

    def _pass(self, work: float) -> float:
        """Let the time pass that so much work takes; returns how long that is."""
        if self._speed is None:
            self.now += work
            return work
        before = self.now
        self.now = self._speed.after(before, work)
        return self.now - before

    def _leave(self) -> None:
        stay = []
        for ghost in self.running:
            if ghost.finish_reason is None:
                stay.append(ghost)
                continue
            self.kv.release(ghost)
            ghost.ended = self.now
            ghost.bill, ghost.first_bill = self.ledger.left(ghost, self.now - ghost.arrival)
            self._on_end(ghost)
        self.running = stay
