"""What a policy decides: which requests compute how many tokens in the next step.

A policy is pure: no clock, no tensors, and it changes nothing. It asks the KV store through a
tally, which books what the plan takes; the engine loop then does what the plan says:

    plan = policy.plan(waiting, running, kv, budget)
    for r in plan.preempted:  kv.release(r); r.preempt(); to the front of waiting
    for r in plan.admitted:   r.admit(kv.attach(r)); from waiting to the end of running
    for r, n in plan.chunks:  kv.grow(r, n), run the model, r.advance(n)

All of the preempted, then all of the admitted, then all growth: in this order the store has
what the tally promised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from constraintlab.engine.kv.store import KVStore, Tally
from constraintlab.engine.request import Phase, Request

Chunk = tuple[Request, int]
"""A request, and how many of its tokens a step computes."""


@dataclass(frozen=True)
class Budget:
    """What a step may hold: `slots` requests that compute, and `tokens` of all together.

    A running request that decodes needs a token a step, so there are at least as many tokens
    as slots. Raises ValueError otherwise.
    """

    slots: int
    tokens: int

    def __post_init__(self) -> None:
        if self.slots < 1:
            raise ValueError(f"slots={self.slots}: give 1 or more")
        if self.tokens < self.slots:
            raise ValueError(
                f"tokens={self.tokens} for {self.slots} slots: every running request needs a token "
                "a step, so give at least as many tokens as slots"
            )


@dataclass(frozen=True)
class StepPlan:
    """One step. `chunks`: who computes how many tokens; running requests first, oldest first,
    then those to be admitted, in the order in which they join `running`.

    preempted: running requests that lose their KV, newest first, so that putting each in front
    of `waiting` in turn keeps the order of arrival. paused: running requests that keep their
    KV and compute nothing: they are held, or others come first, or the budget is spent. Who is
    preempted leaves room for the next step, and none is admitted in this one. No chunks: that is
    all that happens, or all who run are held and leave no room for anybody else. horizon: for how
    many steps the plan stays as it is if nothing arrives, is cancelled, held or stops before its
    max_tokens. It is more than 1 only if all who compute decode and none is admitted or preempted.
    waits: what the first of those who go on waiting lacks: `slots`, `kv` (room in the pool) or
    `prefill` (the step's tokens, spent on other prompts); empty if nobody does.
    """

    chunks: Sequence[Chunk]
    preempted: Sequence[Request] = ()
    paused: Sequence[Request] = ()
    horizon: int = 1
    waits: str = ""

    @property
    def admitted(self) -> list[Request]:
        """The requests of `chunks` that wait until now, in their order."""
        found = []
        for request, _ in reversed(self.chunks):
            if request.phase is not Phase.WAITING:
                break
            found.append(request)
        return found[::-1]

    @property
    def tokens(self) -> int:
        """Tokens that the step computes."""
        return sum(n for _, n in self.chunks)


class Policy(Protocol):
    """Who runs next. Its parameters, if any, are given when it is made."""

    def plan(
        self, waiting: Sequence[Request], running: Sequence[Request], kv: KVStore, budget: Budget
    ) -> StepPlan:
        """The next step. waiting: in order of arrival, the preempted among them in front.
        running: in order of admission, each with a token to compute. Who is held computes none,
        and others overtake it in the queue. No request in `waiting` may be one that `kv`
        refuses."""


def wants(running: Sequence[Request], slots: int) -> list[int]:
    """The tokens that each of the running requests has to compute, 0 for one that is held. More
    run than there are slots where another policy had some pause: then the oldest have them."""
    found = [0 if r.held else r.todo for r in running]
    found[slots:] = [0] * len(found[slots:])
    return found


def keep(
    running: Sequence[Request], wants: Sequence[int], tally: Tally
) -> tuple[list[Chunk], list[Request], list[Request]]:
    """Let the running requests have `wants` tokens each: (chunks, preempted, paused).

    Oldest first; one that can't grow preempts the newest, itself if there is none newer. The
    oldest is never preempted, since a store refuses requests that don't fit it alone: so it
    comes nearer to its end each time it gets tokens, and no workload goes round in circles. One
    that is paused (0 tokens) stays in its place: only older ones preempt it, and while those are
    all paused, what it holds may leave no room for the rest.
    """
    chunks, preempted, paused = [], [], []
    kept = len(running)
    for i, (request, n) in enumerate(zip(running, wants, strict=True)):
        if i >= kept:
            break
        if not n:
            paused.append(request)
            continue
        while not tally.take(request, n):
            kept -= 1
            tally.give(running[kept])
            preempted.append(running[kept])
            if kept == i:
                break
        else:
            chunks.append((request, n))
    assert chunks or not running or not wants[0], (
        "the oldest running request can't grow in an empty pool"
    )
    return chunks, preempted, paused


def planned(
    chunks: Sequence[Chunk],
    preempted: Sequence[Request],
    paused: Sequence[Request],
    kv: KVStore,
    head: Request | None = None,
    waits: str = "",
) -> StepPlan:
    """The plan, with its horizon; head: a request that waits for room, if any. waits: for what.

    Nothing changes until a decode reaches max_tokens, or the store can't grow for all of them,
    or a block gets full that `head` might share. Neither slots nor free units grow meanwhile,
    so a head that is not admitted now is not admitted then. A clock may leap: one growth by the
    horizon stands for its steps. With a prefix cache, two requests that write the same text
    meanwhile may differ after a leap in whose copy of a block is known to the cache.
    """
    if preempted or not chunks:
        return StepPlan(chunks, preempted, paused, waits="kv" if preempted else waits)
    for request, n in reversed(chunks):  # prompts are the last
        if n != 1 or request.phase is not Phase.RUNNING or request.todo != 1:
            return StepPlan(chunks, preempted, paused, waits=waits)
    decoding = [request for request, _ in chunks]
    most = min([request.remaining for request in decoding])
    return StepPlan(chunks, preempted, paused, kv.steps(decoding, most, head), waits)
