"""The contiguous store: a request reserves one run of blocks for all it may ever hold."""

from __future__ import annotations

from collections.abc import Sequence

from constraintlab.engine.kv.runs import Runs
from constraintlab.engine.kv.store import Grown, KVStats, NoRoom
from constraintlab.engine.kv.tables import Holding, Tables
from constraintlab.engine.request import Request

RESERVES = ("max", "pow2", "oracle")


class ContiguousKV(Tables):
    """A `KVStore` as systems had before paging, with the three reservations SOSP'23 compares.

    reserve: `max`, the model's maximum length `max_length`; `pow2`, the prompt and the next
    power of two of the answer's length, at most `max_length`; `oracle`, exactly what the
    request will hold. The last two take max_tokens for the answer's length. Waste is the
    reserved rest and, between runs, gaps too small for the next request. Raises ValueError.
    """

    def __init__(
        self, n_blocks: int, block_size: int = 16, *, max_length: int, reserve: str = "max"
    ) -> None:
        super().__init__(n_blocks, block_size)
        if reserve not in RESERVES:
            raise ValueError(f"reserve={reserve!r}: use {', '.join(RESERVES)}")
        if max_length < 1:
            raise ValueError(f"max_length={max_length}: give the model's maximum, 1 or more")
        self.max_length, self.reserve = max_length, reserve
        self.runs = Runs(n_blocks)

    @property
    def free(self) -> int:
        """See `KVStore`."""
        return self.runs.free

    @property
    def largest_run(self) -> int:
        """Units of the largest free run: what one more request can reserve at most."""
        return self.runs.largest

    def reservation(self, request: Request) -> int:
        """Units that the request reserves."""
        tokens = self.max_length
        if self.reserve == "pow2":
            answer = 1 << (request.sampling.max_tokens - 1).bit_length()
            tokens = min(tokens, len(request.prompt) + answer)
        elif self.reserve == "oracle":
            tokens = request.most
        return self.blocks_for(tokens)

    def refuse(self, request: Request) -> str:
        """See `KVStore`."""
        why = self.refuse_longer(request, self.max_length, "the model takes")
        if why or self.reservation(request) <= self.units:
            return why
        return (
            f"a request reserves {self.reservation(request) * self.block_size} tokens, the pool "
            f"has {self.units * self.block_size}: make the pool larger, lower max_length or reserve"
            " less"
        )

    def tally(self) -> ContiguousTally:
        """See `KVStore`."""
        return ContiguousTally(self)

    def need(self, request: Request, n: int) -> int:
        """See `KVStore`; nothing once it has its reservation."""
        return 0 if request in self.holdings else self.reservation(request)

    def can_grow(self, request: Request, n: int) -> bool:
        """See `KVStore`."""
        return ContiguousTally(self).take(request, n)

    def held(self, request: Request) -> int:
        """See `KVStore`."""
        return len(self.holding(request).table)

    def prefix(self, request: Request) -> int:
        """See `KVStore`; nothing is shared here."""
        return 0

    def attach(self, request: Request) -> int:
        """See `KVStore`. NoRoom if no free run is long enough."""
        self.check_new(request)
        n = self.reservation(request)
        start = self.runs.take(n)
        if start is None:
            raise NoRoom(f"{self} has no run of {n} blocks for request {request.id!r}")
        self.enter(request, Holding(range(start, start + n)))
        return 0

    def grow(self, request: Request, n: int) -> Grown:
        """See `KVStore`."""
        holding = self.holding(request)
        filled, end = holding.filled, holding.filled + n
        if end > len(holding.table) * self.block_size:
            raise NoRoom(f"request {request.id!r} grows to {end} tokens: it reserved fewer")
        holding.filled = end
        self.used += n
        return Grown(self.slots(holding.table, filled, end))

    def release(self, request: Request) -> None:
        """See `KVStore`."""
        holding = self.holding(request)
        del self.holdings[request]
        self.runs.give(holding.table[0], len(holding.table))
        self.used -= holding.filled

    def fork(self, parent: Request, child: Request) -> Sequence[tuple[int, int]]:
        """See `KVStore`; the child has a run of its own, so all that is filled is copied."""
        holding = self.check_fork(parent, child)
        if holding.filled > self.reservation(child) * self.block_size:
            raise ValueError(f"request {child.id!r} reserves less than its parent holds")
        self.attach(child)
        self.grow(child, holding.filled)
        n = self.blocks_for(holding.filled)
        return tuple(zip(holding.table[:n], self.holdings[child].table[:n], strict=True))

    def steps(self, requests: Sequence[Request], limit: int, head: Request | None = None) -> int:
        """See `KVStore`; reservations last to the end."""
        return limit

    def stats(self) -> KVStats:
        """See `KVStore`."""
        reserved = (self.units - self.free) * self.block_size
        return KVStats(self.units * self.block_size, reserved, self.used)

    def assert_consistent(self) -> None:
        """See `KVStore`."""
        self.runs.assert_consistent()
        taken = [block for holding in self.holdings.values() for block in holding.table]
        assert sorted(taken + self.runs.blocks()) == list(range(self.units)), "a block leaked"
        for request, holding in self.holdings.items():
            room = len(holding.table) * self.block_size
            assert 0 <= holding.filled <= room, f"{request.id!r}: more tokens than room"
        assert self.used == sum(h.filled for h in self.holdings.values()), "used slots differ"


class ContiguousTally:
    """See `Tally`: the free runs, copied when a plan first changes them."""

    def __init__(self, kv: ContiguousKV) -> None:
        self._kv, self._runs = kv, None

    @property
    def free(self) -> int:
        """See `Tally`."""
        return (self._runs or self._kv.runs).free

    def take(self, request: Request, n: int, spare: int = 0) -> bool:
        """See `Tally`."""
        holding = self._kv.holdings.get(request)
        if holding is not None:
            return holding.filled + n <= len(holding.table) * self._kv.block_size
        runs = self._own()
        size = self._kv.reservation(request)
        return runs.free - size >= spare and runs.take(size) is not None

    def give(self, request: Request) -> None:
        """See `Tally`."""
        table = self._kv.holding(request).table
        self._own().give(table[0], len(table))

    def _own(self) -> Runs:
        if self._runs is None:
            self._runs = self._kv.runs.copy()
        return self._runs
