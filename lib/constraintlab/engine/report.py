"""`Meter`: what an engine has done so far, and `Report`, the plain record of it at one moment."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from constraintlab.engine.loop import Engine, Step
from constraintlab.engine.request import Phase, Request

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

SHARED = 65_535
"""The owner of a block that several requests hold."""


class Span(NamedTuple):
    """A phase of a request, `queued`, `prefill` or `decode`, from `start` to `end` (None: now)."""

    phase: str
    start: float
    end: float | None = None


@dataclass
class Life:
    """One request as it went: a number that no other live one has, and its phases in turn."""

    number: int
    label: str
    spans: list[Span] = field(default_factory=list)
    ended: str | None = None
    tokens: int = 0

    def enter(self, phase: str, now: float) -> None:
        """Begin a phase, if it is another than the present one."""
        if self.spans and self.spans[-1].end is None:
            if self.spans[-1].phase == phase:
                return
            self.spans[-1] = self.spans[-1]._replace(end=now)
        self.spans.append(Span(phase, now))

    def end(self, reason: str, now: float) -> None:
        """The request is over."""
        self.spans[-1] = self.spans[-1]._replace(end=now)
        self.ended = reason


class Counted(NamedTuple):
    """Work of one kernel over the counted steps: FLOPs, bytes and fresh bytes that are paid once a
    step, and those of the sequences in it."""

    unit: str
    fixed_flops: float = 0.0
    fixed_bytes: float = 0.0
    fixed_fresh: float = 0.0
    own_flops: float = 0.0
    own_bytes: float = 0.0
    own_fresh: float = 0.0


@dataclass(frozen=True)
class Report:
    """An engine at time `now` on its own clock (`time.monotonic` seconds).

    totals: counters since the start: `steps`, `tokens` (output), `prefill` (prompt tokens computed,
    or computed again), `prefills` (steps with some), `decodes`, `lost` (tokens preempted with
    their KV), `sequences` (summed over steps), `preempted`, `finished`; the seconds of `schedule`,
    `forward`, `draw` and `emit` (stops, and text from tokens); core-seconds: `tell` (what was
    emitted, to whoever asked) and `cpu` (all that the process spent); over time, in seconds times
    each: `kv_seconds` (reserved token slots), `used_seconds` (filled ones), `resident_seconds`
    (requests that run), `waiting_seconds`; of the steps whose work was counted, `counted_steps` and
    `counted_sequences`; with a prefix cache, `asked` tokens of attached requests, and `hit`, those
    of them that were cached. work: kernel → its work over those steps. kv: (capacity, reserved,
    used) in tokens. owners, filled: per block whose it is (a life's number, 0 nobody's, SHARED)
    and how many tokens it holds. recent: of the last steps, RECENT at most, the seconds of the
    forward pass and the prompt tokens computed in it.
    """

    now: float
    totals: Mapping[str, float]
    waiting: int
    running: int
    slots: int
    kv: tuple[int, int, int]
    block_size: int
    owners: tuple[int, ...]
    filled: tuple[int, ...]
    lives: tuple[Life, ...]
    work: Mapping[str, Counted]
    recent: tuple[tuple[float, int], ...] = ()


TOTALS = (
    "steps", "tokens", "prefill", "prefills", "decodes", "lost", "sequences", "preempted",
    "finished",
    "schedule", "forward", "draw", "emit", "kv_seconds", "used_seconds", "resident_seconds",
    "waiting_seconds", "counted_steps", "counted_sequences", "asked", "hit", "tell", "cpu",
)  # fmt: skip


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

    def submitted(self, request: Request) -> None:
        """A request joined the queue."""
        self._last = self._last % (SHARED - 1) + 1
        life = self._lives[request] = Life(self._last, str(request.id))
        life.enter("queued", self._clock())

    def ended(self, request: Request) -> None:
        """A request is over, by whatever reason."""
        life = self._lives.pop(request, None)
        if life is None:
            return
        life.end(request.finish_reason, self._clock())
        life.tokens = len(request.output)
        self._past.append(life)
        self.totals["finished"] += 1

    def stepped(self, step: Step, took: float) -> None:
        """A step is done; took: seconds since the one before, or since there was work."""
        t, now = self.totals, self._clock()
        t["steps"] += 1
        t["tokens"] += step.tokens
        t["prefill"] += step.prefill
        t["prefills"] += step.prefill > 0
        t["decodes"] += step.decodes
        t["sequences"] += step.sequences
        t["preempted"] += step.preempted
        t["lost"] += step.lost
        t["kv_seconds"] += step.kv.reserved * took
        t["used_seconds"] += step.kv.used * took
        # Who ended with this step has left by now, and the pool's figures still have it.
        t["resident_seconds"] += max(step.sequences, len(self._engine.running)) * took
        t["waiting_seconds"] += len(self._engine.waiting) * took
        self._recent.append((step.seconds.forward, step.prefill))
        self._pass(step.prefill > 0, step.sequences, step.seconds.forward)
        for stage in step.seconds._fields:
            t[stage] += getattr(step.seconds, stage)
        if step.prefill or step.preempted:
            self._phases(now)
        for emitted in step.emitted:
            if emitted.finished:
                self.ended(emitted.request)
            elif len(emitted.request.output) == 1 or step.preempted:
                self._lives[emitted.request].enter("decode", now)

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

    def _phases(self, now: float) -> None:
        for request in self._engine.running:
            self._lives[request].enter("prefill" if request.todo > 1 else "decode", now)
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
        return Report(
            self._clock(),
            dict(self.totals),
            len(engine.waiting),
            len(engine.running),
            engine.budget.slots,
            (stats.capacity, stats.reserved, stats.used),
            kv.block_size,
            tuple(owners),
            tuple(filled),
            (*self._past, *self._lives.values()),
            dict(self._work),
            tuple(self._recent),
        )


def blocks(kv, lives: Iterable[tuple[Request, Life]]) -> tuple[list[int], list[int]]:
    """Per block of a store: the number of the life that holds it, and the tokens in it."""
    owners, filled = [0] * kv.units, [0] * kv.units
    size = kv.block_size
    for request, life in lives:
        if request.phase is not Phase.RUNNING or request not in kv:
            continue
        left = request.computed
        for block in kv.block_table(request):
            owners[block] = SHARED if owners[block] else life.number
            filled[block] = max(filled[block], min(size, max(0, left)))
            left -= size
    return owners, filled
