"""`Ledger`: what each request waited for, in seconds, from the plans that an engine carries out.

Nothing is added up request by request: a step passes its seconds once, for all, and a request
takes the difference of two readings as it goes from one state to the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from constraintlab.engine.plan import StepPlan
from constraintlab.engine.request import Request

CAUSES = {
    "step": "the step under way as it came",
    "slots": "a slot",
    "kv": "room in the KV pool",
    "prefill": "other requests' prompts",
    "paused": "its turn, its KV kept",
    "preempted": "its KV again, which others needed",
    "reader": "its reader, who could not keep up",
    "prompt": "its own prompt",
    "decode": "its own answer",
}
"""What a request's time may go to, in words. The last two are its own work; the rest is waiting."""

OWN = ("prompt", "decode")


class State(Enum):
    """Where a request stands in the ledger. QUEUED: not yet admitted."""

    QUEUED = "queued"
    PROMPT = "prompt"
    DECODE = "decode"
    PAUSED = "paused"
    HELD = "reader"
    PREEMPTED = "preempted"


PAUSES = (State.PAUSED, State.HELD)


class Bill(NamedTuple):
    """What a request's time went to, in seconds by CAUSES: all of it, and what of it passed up to
    its first token (all, if it never had one)."""

    whole: dict[str, float]
    first: dict[str, float]


class Ledger:
    """Tell it of requests that come, of each plan before and each step after it is carried out.

    A request that was preempted is so until its tokens are computed again. Others' prompts cost a
    request that waits all steps whose tokens were spent on them, and one that decodes what a step
    takes longer because of them.
    """

    def __init__(self) -> None:
        self._passed = dict.fromkeys(("all", "slots", "kv", "prefill", "beside"), 0.0)
        self._entries: dict[Request, tuple[State, dict[str, float], dict[str, float]]] = {}
        self._firsts: dict[Request, dict[str, float]] = {}
        self._paused: set[Request] = set()

    def came(self, request: Request) -> None:
        """It waits from now on: what has passed so far is not its own."""
        self._entries[request] = State.QUEUED, self._passed.copy(), {}

    def planned(self, plan: StepPlan, admitted: Sequence[Request]) -> None:
        """A plan, and whom it admits; before its step passes."""
        for request in plan.preempted:
            self._to(request, State.PREEMPTED)
        for request in admitted:
            if self._entries[request][0] is State.QUEUED:
                self._to(request, State.PROMPT)
        if plan.paused or self._paused:
            paused = set(plan.paused)
            for request in self._paused - paused:
                if request in self._entries and self._entries[request][0] in PAUSES:
                    self._to(request, State.DECODE if len(request.output) else State.PROMPT)
            for request in paused - self._paused:
                self._to(request, State.HELD if request.held else State.PAUSED)
            self._paused = paused

    def passed(self, seconds: float, waits: str = "", prefill: float = 0.0) -> None:
        """So long it took. waits: the plan's; prefill: how much of it was for prompts."""
        passed = self._passed
        passed["all"] += seconds
        passed["beside"] += prefill
        if waits:
            passed[waits] += seconds

    def drew(self, request: Request) -> None:
        """It has a token: its first, or the first after a preemption, or one more."""
        if self._entries[request][0] is not State.DECODE:
            self._to(request, State.DECODE)
            if request not in self._firsts:
                self._firsts[request] = self._entries[request][2].copy()

    def left(self, request: Request, total: float | None = None) -> Bill:
        """It is over. total: seconds from when it came to its end, on the caller's clock; what is
        then left over passed before the first step that it could be in."""
        self._to(request, State.QUEUED)
        self._paused.discard(request)
        whole = self._entries.pop(request)[2]
        first = self._firsts.pop(request, None)
        if first is None:
            first = whole.copy()
        if total is not None:
            whole["step"] = first["step"] = max(0.0, total - sum(whole.values()))
        return Bill(whole, first)

    def _to(self, request: Request, state: State) -> None:
        before, since, bill = self._entries[request]
        passed = {name: now - since[name] for name, now in self._passed.items()}
        if before is State.QUEUED:
            spent: Mapping[str, float] = {n: passed[n] for n in ("slots", "kv", "prefill")}
        elif before is State.DECODE:
            spent = {"decode": passed["all"] - passed["beside"], "prefill": passed["beside"]}
        else:
            spent = {before.value: passed["all"]}
        for cause, seconds in spent.items():
            if seconds:
                bill[cause] = bill.get(cause, 0.0) + seconds
        self._entries[request] = state, self._passed.copy(), bill
