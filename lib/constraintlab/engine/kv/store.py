"""The contract of a KV store: who holds which slots of the pool that keys and values lie in.

Stores know block ids and slot numbers, no tensors. The pool is `n_blocks` blocks of
`block_size` token slots; flat slot = block · block_size + offset. Every store keeps a table of
blocks for each request, so one paged attention kernel reads any of them. Units are blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from constraintlab.engine.request import Request


class NoRoom(RuntimeError):
    """The pool has no room for this; who asks `can_grow` or a tally first never meets it."""


class Grown(NamedTuple):
    """What a growth got; a tuple, since one is made for each sequence and step.

    slots: the flat slot of each new token. copies: blocks (from, to) whose contents the tensor
    side copies before it writes to the slots.
    """

    slots: Sequence[int]
    copies: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True)
class KVStats:
    """Token slots of the pool: all, set aside for some request, and holding a token's KV.

    A slot that several requests share counts once; cached but unused is not reserved.
    """

    capacity: int
    reserved: int
    used: int

    @property
    def waste(self) -> float:
        """Share of the reserved slots that hold nothing, 0 when nothing is reserved."""
        return 1 - self.used / self.reserved if self.reserved else 0.0


class Tally(Protocol):
    """A store as it will be: books what a plan takes and gives, and leaves the store alone."""

    free: int
    """Units that nobody holds then."""

    def take(self, request: Request, n: int, spare: int = 0) -> bool:
        """Book `n` more tokens for a request, at most once each, if `spare` units stay free.

        A request that is not in the store is booked with its attachment: its cached prefix and
        `n` tokens after it. Returns whether there was room; if not, nothing is booked.
        """

    def give(self, request: Request) -> None:
        """Book a release, of a request that took nothing in this tally."""


class KVStore(Protocol):
    """Keys and values of the running requests. A request enters with `attach` or `fork`, grows,
    and leaves with `release`. Stores read `request.computed`, `span` and `most`, and write none.

    ValueError for calls out of this order; NoRoom for a growth beyond the pool.
    """

    block_size: int
    units: int
    """Blocks in the pool."""

    @property
    def free(self) -> int:
        """Units that nobody holds. In a contiguous store they may lie apart."""

    def __contains__(self, request: Request) -> bool:
        """Whether the request is in the store."""

    def refuse(self, request: Request) -> str:
        """Why this request could never finish here, even alone; '' if it can. For submission."""

    def tally(self) -> Tally:
        """The store as it is now, for a plan to book on."""

    def need(self, request: Request, n: int) -> int:
        """Units that `n` more tokens would take from `free`; for a request that is not in the
        store, those of its cached prefix and of `n` tokens after it."""

    def held(self, request: Request) -> int:
        """Units that releasing it now would give back: those that nobody else uses too."""

    def can_grow(self, request: Request, n: int) -> bool:
        """Whether `n` more tokens have room."""

    def prefix(self, request: Request) -> int:
        """How many leading tokens of a request that is not in the store have KV here already.
        Always less than its length, since the last token's logits are needed."""

    def attach(self, request: Request) -> int:
        """A request enters: it now shares its cached prefix; returns how many tokens that is,
        which become `request.computed`."""

    def grow(self, request: Request, n: int) -> Grown:
        """Slots for `n` more tokens. All tokens of earlier growths are computed by now."""

    def release(self, request: Request) -> None:
        """A request leaves; what only it held is free at once. Only its first
        `request.computed` tokens may serve others as a prefix: call this before `preempt`."""

    def fork(self, parent: Request, child: Request) -> Sequence[tuple[int, int]]:
        """`child`, whose tokens begin with the parent's, enters with all that the parent holds;
        its `computed` becomes the parent's. Returns the blocks (from, to) to copy now."""

    def block_table(self, request: Request) -> Sequence[int]:
        """The request's blocks, in order of its tokens: a view, to be read before the next
        change."""

    def steps(self, requests: Sequence[Request], limit: int, head: Request | None = None) -> int:
        """For how many steps, at least 1 and at most `limit`, all `requests` can grow by a
        token each from what is free now, having room for the first. Stops short of a block that
        gets full if `head`, which waits for room, may come to share it."""

    def stats(self) -> KVStats:
        """The pool in tokens."""

    def assert_consistent(self) -> None:
        """Every block is where the books say, counted afresh: for tests, after every step."""


def check_pool(n_blocks: int, block_size: int) -> None:
    """Raises ValueError unless both are 1 or more."""
    for name, value in (("n_blocks", n_blocks), ("block_size", block_size)):
        if value < 1:
            raise ValueError(f"{name}={value}: give 1 or more")
