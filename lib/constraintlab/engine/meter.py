"""`Meter`: watches an engine, and says in `Report`s what it has done."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from constraintlab.engine.books import Bills, Books
from constraintlab.engine.kv.store import KVStats
from constraintlab.engine.ledger import Bill
from constraintlab.engine.loop import Engine
from constraintlab.engine.owners import blocks
from constraintlab.engine.report import SHARED, TOTALS, Counted, Life, Report
from constraintlab.engine.request import Request
from constraintlab.engine.step import Step
from constraintlab.engine.virtual.cost import Took, pairs

KEPT = 64
"""Requests that have ended and are still reported."""

EVERY = 8
"""Steps from one whose work is counted to the next of its kind, with a prompt or without: counting
costs a tenth of a millisecond. It stands for those between."""

LONG = 2e-3
"""Seconds of a forward pass from which each one is counted: then it costs little, and no two long
prompts are alike."""

RECENT = 64
"""Steps whose times are reported one by one."""

KEPT_STEPS = 4096
"""Steps of which one report tells, at most."""


class Meter:
    """Watches an engine: tell it of submissions and steps, ask it for reports."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine, self._clock = engine, clock
        self.totals = dict.fromkeys(TOTALS, 0.0)
        self._lives: dict[Request, Life] = {}
        self._past: deque[Life] = deque(maxlen=KEPT)
        self._last = 0
        self._work: dict[str, Counted] = {}
        self._passed = {True: (0, 0), False: (0, 0)}
        """Steps with a prompt, and without, since one was counted, and sequences in them."""
        self._recent: deque[tuple[float, int]] = deque(maxlen=RECENT)
        self._books, self._paused = Books(clock), ()
        self._steps: deque[Took] = deque(maxlen=KEPT_STEPS)

    def submitted(self, request: Request) -> None:
        """A request joined the queue."""
        self._last = self._last % (SHARED - 1) + 1
        self._books.came(request)
        life = self._lives[request] = Life(self._last, str(request.id))
        life.enter("queued", self._clock())

    def rested(self, seconds: float, at: float) -> None:
        """The engine had nothing to do, up to `at` (see `stepped`): who is there was held, and held
        its place all the same."""
        self._occupied(self._engine.kv.stats(), 0, seconds)
        self._books.rested(at)

    def ended(self, request: Request, at: float | None = None) -> Bill | None:
        """A request is over, by whatever reason; None if it was before. at: when, see `stepped`."""
        life = self._lives.pop(request, None)
        if life is None:
            return None
        life.end(request.finish_reason, self._clock())
        bill = self._books.left(request, at)
        life.tokens, life.bill, life.first_bill = len(request.output), bill.whole, bill.first
        self._past.append(life)
        self.totals["finished"] += 1
        return bill

    def stepped(self, step: Step, took: float, at: float | None = None) -> Bills:
        """A step is done; took: seconds since the one before, or since there was work. at: when, on
        the clock of the requests' arrivals; without it no bill has what passed before a request's
        first step. Returns the bills of those that it ended."""
        t, now, bills = self.totals, self._clock(), {}
        t["steps"] += 1
        t["tokens"] += step.tokens
        t["prefill"] += step.prefill
        t["prefills"] += step.prefill > 0
        t["decodes"] += step.decodes
        t["sequences"] += step.sequences
        t["preempted"] += step.preempted
        t["lost"] += step.lost
        # Who ended with this step has left by now, and the pool's figures still have it.
        self._occupied(step.kv, step.sequences, took)
        self._books.stepped(step, took, at)
        self._steps.append(
            Took(
                took, step.decodes, step.keys,
                len(step.chunks), sum([n for n, _ in step.chunks]), pairs(step.chunks),
            )
        )  # fmt: skip
        self._recent.append((step.seconds.forward, step.prefill))
        self._pass(step.prefill > 0, step.sequences, step.seconds.forward)
        for stage in step.seconds._fields:
            t[stage] += getattr(step.seconds, stage)
        device, wait = step.spent or (step.seconds.forward, 0.0)
        t["device"] += device
        t["wait"] += wait
        paused = tuple(step.plan.paused)
        if step.prefill or step.preempted or paused != self._paused:
            self._phases(now, paused)
        for emitted in step.emitted:
            if emitted.finished:
                bills[emitted.request] = self.ended(emitted.request, at)
            elif len(emitted.request.output) == 1 or step.preempted:
                self._lives[emitted.request].enter("decode", now)
        return bills

    def _occupied(self, kv: KVStats, sequences: int, seconds: float) -> None:
        t = self.totals
        t["kv_seconds"] += kv.reserved * seconds
        t["used_seconds"] += kv.used * seconds
        t["resident_seconds"] += max(sequences, self._running()) * seconds
        t["waiting_seconds"] += self._waiting() * seconds

    def _pass(self, prompt: bool, sequences: int, forward: float) -> None:
        """Count this step's work for those since the last one of its kind, or leave it to one."""
        steps, crowd = self._passed[prompt]
        first = steps == crowd == 0 and not self._work
        steps, crowd = steps + 1, crowd + sequences
        if not first and steps < EVERY and forward < LONG:
            self._passed[prompt] = steps, crowd
            return
        self._passed[prompt] = 0, 0
        self.totals["counted_steps"] += steps
        self.totals["counted_sequences"] += crowd
        for k in self._engine.model.work():
            f, e = k.fixed, k.each
            _, *so_far = self._work.get(k.name, Counted(k.unit))
            more = (
                steps * f.flops, steps * f.bytes, steps * f.fresh,
                crowd * e.flops, crowd * e.bytes, crowd * e.fresh,
            )  # fmt: skip
            self._work[k.name] = Counted(
                k.unit, *(a + b for a, b in zip(so_far, more, strict=True))
            )

    def _running(self) -> int:
        """Requests that have a slot."""
        return min(len(self._engine.running), self._engine.budget.slots)

    def _waiting(self) -> int:
        """Requests that have none: a policy may let more run by turns than there are slots."""
        engine = self._engine
        return len(engine.waiting) + len(engine.running) - self._running()

    def _phases(self, now: float, paused: tuple[Request, ...]) -> None:
        self._paused, rests = paused, set(paused)
        for request in self._engine.running:
            phase = "prefill" if request.todo > 1 else "decode"
            self._lives[request].enter("paused" if request in rests else phase, now)
        for request in self._engine.waiting:
            life = self._lives[request]
            if life.spans[-1].phase != "queued":
                life.enter("queued", now)

    def report(self) -> Report:
        """Everything at this moment."""
        engine, kv = self._engine, self._engine.kv
        stats = kv.stats()
        owners, filled = blocks(kv, self._lives.items())
        for request, life in self._lives.items():
            life.tokens = len(request.output)
        for name in ("asked", "hit"):
            self.totals[name] = float(getattr(kv, name, 0))
        self.totals["cpu"] = time.process_time()
        steps = tuple(self._steps)
        self._steps.clear()
        return Report(
            self._clock(),
            dict(self.totals),
            self._waiting(),
            self._running(),
            engine.budget.slots,
            (stats.capacity, stats.reserved, stats.used),
            kv.block_size,
            tuple(owners),
            tuple(filled),
            (*self._past, *self._lives.values()),
            dict(self._work),
            tuple(self._recent),
            steps,
            dict(getattr(engine.model, "passes", {})),
            getattr(engine.model, "device", "cpu"),
        )
