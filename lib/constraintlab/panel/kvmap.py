"""`KVMap`: who holds each block of a KV pool, and how many tokens are in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

SHARED = 65535
"""The owner of a block that several requests hold."""


@dataclass(frozen=True, eq=False)
class KVMap:
    """One KV pool at one moment, block by block; it keeps copies of what it is given.

    block_size: tokens a block, 1 to 255. owners [n_blocks]: 0 for a free block, the number of the
    request's lane (1 or more), or SHARED. filled [n_blocks]: tokens stored, 0 to block_size.
    source: as a sample's. Raises ValueError that names the fix.
    """

    name: str
    block_size: int
    owners: Sequence[int]
    filled: Sequence[int]
    source: str = "measured"

    def __post_init__(self) -> None:
        if not 1 <= self.block_size <= 255:
            raise ValueError(f"block_size={self.block_size}: the map takes 1 to 255 tokens a block")
        owners = _column("owners", self.owners, SHARED, np.uint16)
        filled = _column("filled", self.filled, self.block_size, np.uint8)
        if len(owners) != len(filled) or not len(owners):
            raise ValueError(
                f"{self.name}: {len(owners)} owners and {len(filled)} fillings: give one of each "
                "for every block of the pool"
            )
        stray = np.flatnonzero((owners == 0) & (filled > 0))
        if len(stray):
            raise ValueError(
                f"{self.name}: block {stray[0]} is free and holds {filled[stray[0]]} tokens: give "
                "it an owner, or 0 tokens"
            )
        object.__setattr__(self, "owners", owners)
        object.__setattr__(self, "filled", filled)

    @property
    def blocks(self) -> int:
        """Blocks of the pool."""
        return len(self.owners)

    @cached_property
    def free(self) -> int:
        """Blocks that nobody holds."""
        return self.blocks - int(np.count_nonzero(self.owners))

    @cached_property
    def tokens(self) -> int:
        """Tokens stored."""
        return int(self.filled.sum(dtype=np.int64))

    @cached_property
    def shared(self) -> int:
        """Blocks that several requests hold."""
        return int(np.count_nonzero(self.owners == SHARED))

    @cached_property
    def requests(self) -> int:
        """Requests that hold a block of their own."""
        held = np.bincount(self.owners, minlength=SHARED + 1) > 0
        return int(held[1:SHARED].sum())

    @property
    def reserved(self) -> int:
        """Tokens that fit into the blocks held."""
        return (self.blocks - self.free) * self.block_size

    @property
    def empty(self) -> float:
        """The share of what is reserved that holds nothing; 0 if nothing is reserved."""
        return 1 - self.tokens / self.reserved if self.reserved else 0.0

    @property
    def shares(self) -> dict[str, float]:
        """The pool's room as three shares that add up to 1: `used`, `wasted` and `free`.

        Wasted is reserved and empty: the vLLM paper's internal fragmentation and reservation.
        """
        room = self.blocks * self.block_size
        return {
            "used": self.tokens / room,
            "wasted": (self.reserved - self.tokens) / room,
            "free": self.free / self.blocks,
        }


def _column(name: str, values: Sequence[int], most: int, dtype: type) -> np.ndarray:
    """A copy that nobody changes; ValueError for what is no whole number from 0 to `most`."""
    given = np.asarray(values)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise ValueError(f"{name} must be whole numbers in one row, one for each block")
    if given.size and not 0 <= int(given.min()) <= int(given.max()) <= most:
        raise ValueError(f"{name} runs from {given.min()} to {given.max()}: give 0 to {most}")
    kept = given.astype(dtype)
    kept.flags.writeable = False
    return kept
