"""A step of the engine: what it gives a model, and what it tells of itself afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from constraintlab.engine.kv.store import KVStats
from constraintlab.engine.plan import StepPlan
from constraintlab.engine.request import Request


class Piece(NamedTuple):
    """A chunk with all that a model needs: new tokens after `past` others, where their keys and
    values go, and the blocks that hold all of them. `copied`: a block of the table changed."""

    request: Request
    tokens: Sequence[int]
    past: int
    slots: Sequence[int]
    table: Sequence[int]
    draws: bool
    copied: bool


class Model(Protocol):
    """What runs a step. The pieces of one token come first."""

    def copy(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Copy blocks (from, to) before the step writes: copy-on-write's second half."""

    def forward(self, pieces: Sequence[Piece]) -> Any:
        """Logits of the last token of each piece that draws, in their order; writes the pool."""

    def draw(self, logits: Any, requests: Sequence[Request]) -> Sequence[int]:
        """A token for each of these requests, from its row of the logits."""

    def forget(self, request: Request) -> None:
        """The request holds no KV any more."""


class Emitted(NamedTuple):
    """What a request got in a step: a token, the text that can be shown, and how it ended."""

    request: Request
    token: int | None
    text: str
    finished: str | None = None


class Spent(NamedTuple):
    """Of a device with a clock of its own, in seconds: from a step's first copy to its last, with
    the gaps in which it waits for the host; and how long the host waited for it, doing nothing."""

    device: float
    wait: float


class Seconds(NamedTuple):
    """Where a step's time went: the scheduler and the KV store, kernels, sampling, text. A wait for
    a device to end its kernels counts as `forward`, wherever the host waits."""

    schedule: float
    forward: float
    draw: float
    emit: float


@dataclass(frozen=True, slots=True)
class Step:
    """What a step did. `decodes` and `prefill`: tokens computed for each; `waiting` after it;
    `lost`: tokens whose KV the preempted had, and will need again; `admitted`: who began to run.
    Of what was computed: `keys`, tokens of KV that decodes read, their own included; `chunks`, of
    each prompt its tokens and those before them. plan: what it carried out. spent: where a device
    computes beside the host, what is known of it by then."""

    start: float
    seconds: Seconds
    sequences: int
    decodes: int
    prefill: int
    waiting: int
    preempted: int
    lost: int
    kv: KVStats
    emitted: Sequence[Emitted]
    admitted: Sequence[Request] = ()
    keys: int = 0
    chunks: Sequence[tuple[int, int]] = ()
    plan: StepPlan | None = None
    spent: Spent | None = None

    @property
    def tokens(self) -> int:
        """Output tokens."""
        return sum(e.token is not None for e in self.emitted)
