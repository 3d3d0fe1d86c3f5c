"""`Service`: the virtual clock with what stands behind the engine; open and closed loads."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from constraintlab.engine.kv.store import KVStore
from constraintlab.engine.ledger import Bill
from constraintlab.engine.plan import Budget, Policy, StepPlan
from constraintlab.engine.virtual.clock import Clock
from constraintlab.engine.virtual.cost import StepCost
from constraintlab.engine.virtual.counts import Counts, kind
from constraintlab.engine.virtual.roofline import Roofline
from constraintlab.engine.virtual.stations import Stations, Stream, Tandem

NOTHING = Bill({}, {})
Next = Callable[[Stream, float], Stream | None]


class Service(Clock):
    """after: which request follows when an answer has been read to its end, and when: a closed
    load. None: none does. counts: up to now. peak_slots, peak_kv, peak_tokens: the most
    requests that ran at a time, blocks that were held, and tokens of a step.

    `serve` ends when the last request comes, not when it is answered, so that no queue runs empty:
    what was read by then is the throughput.
    """

    def __init__(
        self, policy: Policy, kv: KVStore, budget: Budget, cost: StepCost | Roofline,
        stations: Stations, after: Next = lambda stream, at: None,
    ) -> None:  # fmt: skip
        super().__init__(policy, kv, budget, cost)
        self.ledger = Unwritten()
        self.tandem, self.counts = Tandem(stations), Counts()
        self.peak_slots = self.peak_kv = self.peak_tokens = 0
        self._after = after
        self._coming: list[tuple[float, int, Stream]] = []
        self._resuming: list[tuple[float, int, Stream]] = []
        self._reading: list[float] = []
        self._window = stations.window
        self._behind = not self.tandem.passes

    def serve(
        self, coming: Sequence[Stream], many: int, marks: Sequence[int], ended: bool = False
    ) -> list[Counts]:
        """Until so many requests have come. coming: those that come whatever happens. Returns the
        counts as of the moments when so many as in `marks` had come, in order, and at the end.
        ended: all these are numbers of answers that have ended, not of requests that came."""
        self._coming = [(s.arrival, s.id, s) for s in coming]
        heapq.heapify(self._coming)
        found, marks, came = [], [*marks, many], 0

        def mark() -> None:
            self.counts.queued = sum([s.remaining for s in self.waiting])
            found.append(self.counts.copy())
            marks.pop(0)

        while marks:
            while self._resuming and self._resuming[0][0] <= self.now:
                heapq.heappop(self._resuming)[2].held = False
            while self._coming and self._coming[0][0] <= self.now and marks:
                stream = heapq.heappop(self._coming)[2]
                self._submit(stream)
                if stream.gap:
                    self._behind = True
                came += 1
                if came == marks[0] and not ended:
                    mark()
            if marks:
                self._go()
            while ended and marks and self.counts.answers.total() >= marks[0]:
                mark()
        return found

    def _go(self) -> None:
        """One plan, or nothing to do until something happens."""
        until = min(
            self._coming[0][0] if self._coming else math.inf,
            self._resuming[0][0] if self._resuming else math.inf,
        )
        before, steps = self.now, self.steps
        reserved = self.kv.units - self.kv.free
        while self._reading and self._reading[0] <= before:
            heapq.heappop(self._reading)
        reading = len(self._reading)
        plan = StepPlan(())
        if self.waiting or self.running:
            plan = self.policy.plan(self.waiting, self.running, self.kv, self.budget)
            self.plans += 1
        if not plan.chunks and not plan.preempted:
            assert until < math.inf, "nobody runs and nobody comes"
            self.now = until
            self.ledger.passed(self.now - before, plan.waits)
        else:
            chunks = [(n, s.computed, n == 1 and s.output.n > 0) for s, n in plan.chunks]
            ready = len(chunks) + sum([not s.held for s in plan.paused])
            if plan.horizon > 1 and all([decode for _, _, decode in chunks]):
                drawing = [s for s, _ in plan.chunks]
                if self._behind:
                    room = min([self._room(s, plan.horizon) for s in drawing])
                    if room < plan.horizon:
                        plan = replace(plan, horizon=max(1, room))
                self._leap(plan, until)
            else:
                drawing = [s for s, n in plan.chunks if s.todo == n]
                self._step(plan)
            self._count_steps(chunks, ready, self.steps - steps)
            self._send(drawing, before, self.steps - steps)
        self._count_time(plan, before, reserved, reading)

    def _send(self, drawing: Sequence[Stream], before: float, steps: int) -> None:
        """What was drawn leaves the engine; who has as many tokens under way as may be is held."""
        took = (self.now - before) / max(1, steps)
        for i in range(steps):
            self.tandem.take(before + took * (i + 1), drawing)
        for stream in drawing:
            if stream.finish_reason is not None:
                self._over(stream)
            elif self._behind and self._room(stream, 1) <= 0:
                stream.held = True
                heapq.heappush(self._resuming, (self.tandem.free(stream), stream.id, stream))

    def _room(self, stream: Stream, enough: int) -> int:
        """How many tokens more may be under way for it, or at least so many."""
        if self._window - len(stream.under) >= enough:
            return enough
        return self.tandem.room(stream, self.now)

    def _over(self, stream: Stream) -> None:
        """Its last token is under way: whose it was asks again when it is read."""
        heapq.heappush(self._reading, stream.read)
        self.counts.answered(stream.gap, stream.size, stream.output.n)
        follows = self._after(stream, stream.read)
        if follows is not None:
            heapq.heappush(self._coming, (follows.arrival, follows.id, follows))

    def _count_steps(self, chunks: Sequence[tuple[int, int, bool]], ready: int, steps: int) -> None:
        """chunks: tokens, those before them, whether it decodes. ready: they, and who would compute
        but for the step's budget."""
        decodes = keys = tokens = looked = 0
        pairs = 0.0
        for n, past, decode in chunks:
            if decode:
                decodes += 1
                keys += past + 1
            else:
                tokens += n
                looked += past + n
                pairs += n * past + n * (n + 1) / 2
        self.peak_tokens = max(self.peak_tokens, decodes + tokens)
        found = self.counts.kinds[kind(decodes, tokens)]
        found.steps += steps
        found.sequences += ready * steps
        found.decodes += decodes * steps
        found.keys += keys * steps + decodes * steps * (steps - 1) / 2
        found.tokens += tokens
        found.looked += looked
        found.pairs += pairs

    def _count_time(self, plan: StepPlan, before: float, reserved: int, reading: int) -> None:
        took, counts = self.now - before, self.counts
        gone = [s for s, _ in plan.chunks if s.finish_reason is not None]
        stayed = len(self.running) + len(gone)
        now_held = self.kv.units - self.kv.free
        grown = now_held + sum(-(-s.computed // self.kv.block_size) for s in gone)
        middle = (reserved + grown) / 2 if plan.horizon > 1 else grown
        self.peak_slots = max(self.peak_slots, stayed)
        self.peak_kv = max(self.peak_kv, grown)
        counts.seconds = self.now
        counts.drawn, counts.lost = self.tokens, self.lost
        counts.resident += took * stayed
        counts.waiting += took * len(self.waiting)
        counts.open += took * (stayed + len(self.waiting) + reading)
        counts.held += took * middle * self.kv.block_size
        if plan.waits:
            counts.lacks[plan.waits] += took
            counts.beside[plan.waits] += took * stayed


class Unwritten:
    """A ledger of which nobody asks whose time went where."""

    planned = passed = drew = came = lambda self, *_: None

    def left(self, request: Stream, total: float | None = None) -> Bill:
        """See `Ledger`."""
        return NOTHING
