"""What-if bookings on a paged store: free blocks, and references that a plan adds or removes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from constraintlab.engine.request import Request

if TYPE_CHECKING:
    from constraintlab.engine.kv.paged import PagedKV


class PagedTally:
    """See `Tally`. Exact with shared blocks too: a block counts as given back when its last
    holder gives it, and a cached prefix is taken out of `free` by the first that shares it."""

    __slots__ = ("_changes", "_kv", "free")

    def __init__(self, kv: PagedKV) -> None:
        self._kv = kv
        self._changes: dict[int, int] = {}
        self.free = kv.free

    def need(self, request: Request, n: int) -> int:
        """Units that `n` more tokens would take, as things are in this tally."""
        kv = self._kv
        holding = kv.holdings.get(request)
        if holding is None:
            idle = sum(not self._refs(block) for block in kv.cached(request))
            return idle + kv.blocks_for(n)
        return (
            -(-(holding.filled + n) // kv.block_size)
            - len(holding.table)
            + (kv.forked and self._copies(holding))
        )

    def take(self, request: Request, n: int, spare: int = 0) -> bool:
        """See `Tally`."""
        need = self.need(request, n)
        if need + spare > self.free:
            return False
        self.free -= need
        holding = self._kv.holdings.get(request)
        if holding is None:
            for block in self._kv.cached(request):
                self._change(block, 1)
        elif self._kv.forked and self._copies(holding):
            self._change(holding.table[-1], -1)
        return True

    def give(self, request: Request) -> None:
        """See `Tally`."""
        for block in self._kv.holding(request).table:
            self._change(block, -1)
            self.free += not self._refs(block)

    def _copies(self, holding) -> bool:
        """Whether its next token goes into a block that others hold too."""
        partly = holding.filled % self._kv.block_size
        return bool(partly) and self._refs(holding.table[-1]) > 1

    def _refs(self, block: int) -> int:
        return self._kv.blocks.refs[block] + self._changes.get(block, 0)

    def _change(self, block: int, by: int) -> None:
        self._changes[block] = self._changes.get(block, 0) + by
