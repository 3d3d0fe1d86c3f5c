"""`Report`: what an engine has done so far, as plain data at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from constraintlab.engine.virtual.cost import Took

SHARED = 65_535
"""The owner of a block that several requests hold."""


class Span(NamedTuple):
    """A phase of a request, `queued`, `prefill`, `decode` or `paused`, from `start` to `end` (None:
    now)."""

    phase: str
    start: float
    end: float | None = None


@dataclass
class Life:
    """One request as it went: a number that no other live one has, and its phases in turn. bill:
    once it has ended, the seconds that it spent in the engine by the ledger's CAUSES; first_bill:
    those up to its first token."""

    number: int
    label: str
    spans: list[Span] = field(default_factory=list)
    ended: str | None = None
    tokens: int = 0
    bill: Mapping[str, float] = field(default_factory=dict)
    first_bill: Mapping[str, float] = field(default_factory=dict)

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
    `forward`, `draw` and `emit` (stops, and text from tokens), and `rest` (nothing was asked of
    it); core-seconds: `tell` (what was
    emitted, to whoever asked) and `cpu` (all that the process spent); over time, in seconds times
    each: `kv_seconds` (reserved token slots), `used_seconds` (filled ones), `resident_seconds`
    (requests that run), `waiting_seconds`; of the steps whose work was counted, `counted_steps` and
    `counted_sequences`; with a prefix cache, `asked` tokens of attached requests, and `hit`, those
    of them that were cached. work: kernel → its work over those steps. kv: (capacity, reserved,
    used) in tokens. owners, filled: per block whose it is (a life's number, 0 nobody's, SHARED)
    and how many tokens it holds. recent: of the last steps, some dozens, the seconds of the
    forward pass and the prompt tokens computed in it. steps: all since the report before.
    device: where the kernels run. The totals `wait`, that part of `forward` in which the host only
    waits for a device, and `device`, from a step's first copy to its last by the device's own
    clock; on a CPU 0, and `forward` itself. passes: on a GPU, how many forward passes ran as a
    graph, and how many eagerly, by the reason.
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
    steps: tuple[Took, ...] = ()
    passes: Mapping[str, int] = field(default_factory=dict)
    device: str = "cpu"


TOTALS = (
    "steps", "tokens", "prefill", "prefills", "decodes", "lost", "sequences", "preempted",
    "finished", "device", "wait",
    "schedule", "forward", "draw", "emit", "kv_seconds", "used_seconds", "resident_seconds",
    "waiting_seconds", "counted_steps", "counted_sequences", "asked", "hit", "tell", "cpu",
    "rest",
)  # fmt: skip
