"""The paged store: any block will do, and a request holds no more of them than its tokens fill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from constraintlab.engine.kv.blocks import Blocks
from constraintlab.engine.kv.paged_tally import PagedTally
from constraintlab.engine.kv.store import Grown, KVStats, NoRoom
from constraintlab.engine.kv.tables import Holding, Tables
from constraintlab.engine.request import Request


class PagedKV(Tables):
    """A `KVStore` of blocks and tables (PagedAttention, SOSP'23).

    Waste is the empty end of each request's last block. `fork` shares all blocks; who first
    writes into a shared one copies it before (copy-on-write), so only a last block, partly
    filled, is ever copied.
    """

    def __init__(self, n_blocks: int, block_size: int = 16) -> None:
        super().__init__(n_blocks, block_size)
        self.blocks = Blocks(n_blocks)
        self.forked = False
        """Whether a partly filled block was ever shared: only then can one need a copy."""

    @property
    def free(self) -> int:
        """See `KVStore`."""
        return self.blocks.free

    def refuse(self, request: Request) -> str:
        """See `KVStore`."""
        return self.refuse_longer(request, self.units * self.block_size, "the pool has")

    def tally(self) -> PagedTally:
        """See `KVStore`."""
        return PagedTally(self)

    def need(self, request: Request, n: int) -> int:
        """See `KVStore`."""
        return PagedTally(self).need(request, n)

    def can_grow(self, request: Request, n: int) -> bool:
        """See `KVStore`."""
        return self.need(request, n) <= self.free

    def held(self, request: Request) -> int:
        """See `KVStore`."""
        refs = self.blocks.refs
        return sum(refs[block] == 1 for block in self.holding(request).table)

    def prefix(self, request: Request) -> int:
        """See `KVStore`."""
        return len(self.cached(request)) * self.block_size

    def cached(self, request: Request) -> list[int]:
        """The blocks of its prefix that it would share; none without a cache."""
        return []

    def attach(self, request: Request) -> int:
        """See `KVStore`."""
        self.enter(request, Holding([]))
        return 0

    def grow(self, request: Request, n: int) -> Grown:
        """See `KVStore`."""
        holding = self.holding(request)
        table, filled, size = holding.table, holding.filled, self.block_size
        end = filled + n
        fresh = -(-end // size) - len(table)
        copies = ()
        shared = self.forked and self.shares_end(holding)
        if fresh or shared:
            if fresh + shared > self.blocks.free:
                raise NoRoom(f"{self} has no room for {n} tokens of request {request.id!r}")
            if shared:
                copies = ((table[-1], self.take()),)
                self.drop(table[-1])
                table[-1] = copies[0][1]
                self.used += filled % size
            for _ in range(fresh):
                table.append(self.take())
        holding.filled = end
        self.used += n
        return Grown(self.slots(table, filled, end), copies)

    def shares_end(self, holding: Holding) -> bool:
        """Whether its next token falls into a block that others hold too: copy before writing."""
        return holding.filled % self.block_size > 0 and self.blocks.refs[holding.table[-1]] > 1

    def take(self) -> int:
        """A block from those that nobody holds."""
        return self.blocks.take()

    def drop(self, block: int) -> bool:
        """One holder less; returns whether it was the last."""
        return self.blocks.drop(block)

    def release(self, request: Request) -> None:
        """See `KVStore`. The last block first: a cache gives up the ends of prefixes first."""
        holding = self.holding(request)
        del self.holdings[request]
        for i in reversed(range(len(holding.table))):
            if self.drop(holding.table[i]):
                self.used -= min(self.block_size, holding.filled - i * self.block_size)

    def fork(self, parent: Request, child: Request) -> Sequence[tuple[int, int]]:
        """See `KVStore`; nothing is to be copied yet."""
        holding = self.check_fork(parent, child)
        self.enter(child, Holding(holding.table.copy(), holding.filled))
        for block in holding.table:
            self.blocks.hold(block)
        self.forked = True
        return ()

    def steps(self, requests: Sequence[Request], limit: int, head: Request | None = None) -> int:
        """See `KVStore`. Counted, not stepped: `size` steps take a block of each request, and
        fewer steps take one of each whose last block has less room than that."""
        size, free, holdings = self.block_size, self.blocks.free, self.holdings
        if self.forked and any(self.shares_end(holdings[r]) for r in requests):
            return 1
        if len(requests) * -(-limit // size) <= free:
            return limit
        room = sorted([-holdings[r].filled % size for r in requests])
        rounds, rest = divmod(free, len(requests))
        return max(1, min(limit, rounds * size + room[rest]))

    def stats(self) -> KVStats:
        """See `KVStore`."""
        reserved = (self.units - self.blocks.free) * self.block_size
        return KVStats(self.units * self.block_size, reserved, self.used)

    def assert_consistent(self) -> None:
        """See `KVStore`."""
        size = self.block_size
        fill: dict[int, int] = {}
        for request, holding in self.holdings.items():
            assert len(holding.table) == self.blocks_for(holding.filled), f"{request.id!r}: table"
            assert len(set(holding.table)) == len(holding.table), f"{request.id!r}: a block twice"
            for i, block in enumerate(holding.table):
                tokens = min(size, holding.filled - i * size)
                assert fill.setdefault(block, tokens) == tokens, f"block {block}: two fillings"
        self.blocks.assert_consistent(Counter(b for h in self.holdings.values() for b in h.table))
        assert self.used == sum(fill.values()), f"{self.used} slots booked: {sum(fill.values())}"
