"""`Ordered`: a policy that is nothing but an order, which a function of the learner's gives.

`engine.policies.ranked` carries it out, as it does MLFQ's order and SRPT's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from constraintlab.engine.kv.store import KVStore
from constraintlab.engine.plan import Budget, StepPlan
from constraintlab.engine.policies.ranked import ranked
from constraintlab.engine.request import Phase, Request

EVERY = 16
"""Steps after which a clock asks again for the order, if nobody comes or ends before."""

HIDDEN = frozenset({"max_tokens", "most", "remaining", "sampling", "wanted"})
"""What an engine's request has that tells how long its answer will be."""


class BadOrder(ValueError):
    """An order that can't be carried out, in a sentence that says why."""


class Unknown(BadOrder):
    """Nobody knows that yet."""


class Seen:
    """What is known of a request when it is scheduled; the same object each time.

    id: its name. arrival: seconds, when it came. prompt: its tokens. served: tokens of its answer
    so far. running: whether it has its KV in the pool, paused or not. Unknown for how long its
    answer will be.
    """

    __slots__ = ("arrival", "id", "prompt", "running", "served")

    def __init__(self, id: str | int, arrival: float, prompt: int) -> None:
        self.id, self.arrival, self.prompt, self.served = id, arrival, prompt, 0
        self.running = False

    def __getattr__(self, name: str) -> object:
        if name in HIDDEN:
            raise Unknown(f"r.{name}: the answer's length is not known when it is scheduled")
        raise AttributeError(f"a request has {', '.join(self.__slots__)}, and no {name!r}")

    def __repr__(self) -> str:
        return (
            f"<request {self.id}: came at {self.arrival:.2f} s, prompt {self.prompt}, served "
            f"{self.served}, {'running' if self.running else 'waiting'}>"
        )


Order = Callable[[list[Seen]], Sequence[Seen]]
"""All who run or wait → the same, the most urgent first: as many as there are slots compute."""


class Ordered:
    """Asks `order` at each plan. Over a virtual clock a plan holds for `every` steps at most where
    not all of them compute. BadOrder, from `plan`, for an answer that is no order of them."""

    def __init__(self, order: Order, every: int = EVERY) -> None:
        if not callable(order):
            raise BadOrder("give a function, not its result")
        if every < 1:
            raise ValueError(f"every={every}: give 1 step or more")
        self.order, self.every = order, every
        self._seen: dict[Request, Seen] = {}

    def plan(
        self, waiting: Sequence[Request], running: Sequence[Request], kv: KVStore, budget: Budget
    ) -> StepPlan:
        """See `Policy`."""
        there = {self._look(r): r for r in (*running, *waiting) if not r.held}
        self._seen = {request: seen for seen, request in there.items()}
        if not there:
            return ranked((), running, kv, budget)
        try:
            got = self.order(list(there))
        except BadOrder:
            raise
        except Exception as error:
            raise BadOrder(f"it raised {type(error).__name__}: {error}") from error
        if wrong := complaint(got, there, budget.slots):
            raise BadOrder(wrong)
        plan = ranked([there[seen] for seen in got], running, kv, budget)
        if len(there) > len(plan.chunks):
            return replace(plan, horizon=min(plan.horizon, self.every))
        return plan

    def _look(self, request: Request) -> Seen:
        seen = self._seen.get(request)
        if seen is None:
            seen = Seen(request.id, request.arrival, len(request.prompt))
        seen.served = len(request.output)
        seen.running = request.phase is Phase.RUNNING
        return seen


def complaint(got: object, there: dict[Seen, Request], slots: int) -> str:
    """Why this is no order of those who are there; '' if it is one."""
    if got is None or got is Ellipsis:
        return "it returns nothing yet: return the requests, the most urgent first"
    if not isinstance(got, list | tuple):
        kind = type(got).__name__
        return f"return a list of the requests, the most urgent first, not this of type {kind}"
    for one in got:
        if not isinstance(one, Seen) or one not in there:
            return f"{one!r} is in your list, which is none of the requests that you were given"
    named = Counter(got)
    if len(named) < len(got):
        often, times = named.most_common(1)[0]
        return f"request {often.id} is in your list {times} times: it needs no more than one slot"
    out = [seen for seen in there if seen not in named]
    if not out:
        return ""
    first, idle = out[0], min(len(out), slots - len(got))
    told = f"request {first.id}, which came at {first.arrival:.2f} s, waits and is not in your list"
    if idle > 0:
        return f"{told}. Idle meanwhile: {idle} of {slots} slots. Return all of them"
    return f"{told}. Return all {len(there)}: who shall wait longest comes last"
