"""The engine: schedule → run → emit, one step after the other.

    while engine.busy:
        for piece in engine.step().emitted: ...

No tensors here: `model` has them. Nothing runs beside it and nothing waits: who wants both puts
the engine into a process of its own (`engine.process`).
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence

from constraintlab.engine.kv.store import KVStore
from constraintlab.engine.plan import Budget, Policy, StepPlan
from constraintlab.engine.refusal import refusal
from constraintlab.engine.request import Phase, Request
from constraintlab.engine.step import Emitted, Model, Piece, Seconds, Spent, Step
from constraintlab.engine.voice import Voice


class Engine:
    """Requests in, tokens out.

    longest: tokens that the model takes, prompt and answer together. voice: makes a request's
    `Voice`; None leaves out all text, and then a request with stop strings is refused. clock:
    seconds, for the reports only. spent: where the model computes on a device beside the host, what
    that took since it was asked last.
    """

    def __init__(
        self,
        model: Model,
        policy: Policy,
        kv: KVStore,
        budget: Budget,
        *,
        longest: float = math.inf,
        voice: Callable[[Request], Voice] | None = None,
        clock: Callable[[], float] = time.perf_counter,
        spent: Callable[[], Spent] | None = None,
    ) -> None:
        self.model, self.policy, self.kv, self.budget = model, policy, kv, budget
        self.waiting: deque[Request] = deque()
        self.running: list[Request] = []
        self.longest, self._voice, self._clock, self._spent = longest, voice, clock, spent
        self._voices: dict[Request, Voice] = {}
        self._stuck = False

    @property
    def busy(self) -> bool:
        """Whether anything waits or runs."""
        return bool(self.waiting or self.running)

    @property
    def idle(self) -> bool:
        """Whether a step would do nothing until a request is submitted, resumed or cancelled."""
        return self._stuck or not self.busy

    def submit(self, request: Request) -> str:
        """Queue a request. Returns '', or why it can never run here; it is then finished."""
        why = refusal(request, self.kv, self.longest, speaks=self._voice is not None)
        if why:
            request.finish("refused")
            return why
        if self._voice is not None:
            self._voices[request] = self._voice(request)
        self.waiting.append(request)
        self._stuck = False
        return ""

    def adopt(self, request: Request, token: int) -> Emitted:
        """Queue a request that another engine has computed so far, and that drew `token` there.

        What it says of that token is returned; it goes on here, from KV that the store gets from
        elsewhere, or anew. ValueError for a request that can never run here.
        """
        why = self.submit(request)
        if why:
            raise ValueError(why)
        voice = self._voices.get(request)
        if voice is not None:
            for said in request.output:
                voice.say(said)
        request.admit(request.length)
        emitted = self._emit(request, token)
        if emitted.finished:
            self.waiting.remove(request)
        else:
            request.preempt()
        return emitted

    def hold(self, request: Request) -> None:
        """It computes nothing from the next step on, and keeps its slot and its KV."""
        request.held = True

    def resume(self, request: Request) -> None:
        """End of `hold`."""
        request.held = self._stuck = False

    def cancel(self, request: Request) -> None:
        """End a request now; its KV is free at once. One that has ended is left as it is."""
        if request.phase is Phase.WAITING:
            self.waiting.remove(request)
        elif request.phase is Phase.RUNNING:
            self.running.remove(request)
            self._release(request)
        else:
            return
        self._voices.pop(request, None)
        self._stuck = False
        request.finish("cancelled")

    def switch(self, policy: Policy) -> None:
        """Another policy from the next step on; those who run keep their KV."""
        self.policy, self._stuck = policy, False

    def plan(self) -> StepPlan:
        """What the policy would do next; changes nothing."""
        return self.policy.plan(self.waiting, self.running, self.kv, self.budget)

    def step(self, plan: StepPlan | None = None) -> Step:
        """Plan, compute and emit once; plan: one that is still valid, instead of a new one.

        ValueError when nothing waits or runs.
        """
        if not self.busy:
            raise ValueError("nothing waits and nothing runs: submit a request first")
        began = self._clock()
        plan = plan or self.plan()
        lost = sum(r.computed for r in plan.preempted)
        admitted = plan.admitted
        pieces = self._schedule(plan, admitted)
        self._stuck = not pieces and not plan.preempted
        drawing = [p.request for p in pieces if p.draws]
        planned = self._clock()
        logits = self.model.forward(pieces) if pieces else None
        computed = self._clock()
        tokens = self.model.draw(logits, drawing) if drawing else ()
        drawn = self._clock()
        spent = self._spent() if self._spent else None
        wait = spent.wait if spent else 0.0
        decodes, keys, chunks = 0, 0, []
        for piece in pieces:
            n = len(piece.tokens)
            if n == 1 and piece.request.output:
                decodes += 1
                keys += piece.past + 1
            else:
                chunks.append((n, piece.past))
            piece.request.advance(n)
        stats = self.kv.stats()
        emitted = [self._emit(r, t) for r, t in zip(drawing, tokens, strict=True)]
        if any(e.finished for e in emitted):
            self._leave()
        ended = self._clock()
        return Step(
            began,
            Seconds(
                planned - began, computed - planned + wait, drawn - computed - wait, ended - drawn
            ),
            len(pieces),
            decodes,
            plan.tokens - decodes,
            len(self.waiting),
            len(plan.preempted),
            lost,
            stats,
            emitted,
            admitted,
            keys,
            chunks,
            plan,
            spent,
        )

    def _schedule(self, plan: StepPlan, admitted: Sequence[Request]) -> list[Piece]:
        """Do what the plan says, in the order that `plan` promises the store."""
        for request in plan.preempted:
            self.running.remove(request)
            self._release(request)
            request.preempt()
            self.waiting.appendleft(request)
        for request in admitted:
            assert not request.held
            self.waiting.remove(request)
            request.admit(self.kv.attach(request))
            self.running.append(request)
        single, long = [], []
        for request, n in plan.chunks:
            grown = self.kv.grow(request, n)
            if grown.copies:
                self.model.copy(grown.copies)
            past = request.computed
            piece = Piece(
                request,
                request.span(past, past + n),
                past,
                grown.slots,
                self.kv.block_table(request),
                request.todo == n,
                bool(grown.copies),
            )
            (single if n == 1 else long).append(piece)
        return single + long

    def _emit(self, request: Request, token: int) -> Emitted:
        request.append(token)
        voice = self._voices.get(request)
        if voice is None:
            return Emitted(request, token, "", request.finish_reason)
        ended = request.phase is Phase.FINISHED
        text = voice.say(token, last=ended)
        if voice.stopped and not ended:
            request.finish("stop")
        if request.phase is Phase.FINISHED:
            del self._voices[request]
        return Emitted(request, token, text, request.finish_reason)

    def _leave(self) -> None:
        """Who has finished gives its KV back in the same step."""
        for request in self.running:
            if request.phase is Phase.FINISHED:
                self._release(request)
        self.running = [r for r in self.running if r.phase is Phase.RUNNING]

    def _release(self, request: Request) -> None:
        self.kv.release(request)
        self.model.forget(request)
