"""`CountedKV`: a paged pool as numbers: how many blocks each request holds, and not which."""

from __future__ import annotations

from collections.abc import Sequence

from constraintlab.engine.kv.store import Grown, KVStats, NoRoom, check_pool
from constraintlab.engine.request import Request

NOTHING = Grown(())


class CountedKV:
    """Admits, grows and preempts exactly as `PagedKV` does, without block tables and forks: for a
    virtual clock, where a growth of a thousand tokens must cost what one of one token does."""

    def __init__(self, n_blocks: int, block_size: int = 16) -> None:
        check_pool(n_blocks, block_size)
        self.units, self.block_size, self.free = n_blocks, block_size, n_blocks
        self.filled: dict[Request, int] = {}
        """Tokens that each request holds."""

    def __contains__(self, request: Request) -> bool:
        return request in self.filled

    def refuse(self, request: Request) -> str:
        """See `KVStore`."""
        limit = self.units * self.block_size
        if request.most <= limit:
            return ""
        return f"it may need {request.most} tokens of KV, the pool has {limit}: make it larger"

    def tally(self) -> CountedTally:
        """See `KVStore`."""
        return CountedTally(self)

    def need(self, request: Request, n: int) -> int:
        """See `KVStore`."""
        filled, size = self.filled.get(request, 0), self.block_size
        return -(-(filled + n) // size) - -(-filled // size)

    def held(self, request: Request) -> int:
        """See `KVStore`."""
        return -(-self.filled[request] // self.block_size)

    def can_grow(self, request: Request, n: int) -> bool:
        """See `KVStore`."""
        return self.need(request, n) <= self.free

    def prefix(self, request: Request) -> int:
        """See `KVStore`; nothing is shared here."""
        return 0

    def attach(self, request: Request) -> int:
        """See `KVStore`."""
        self.filled[request] = 0
        return 0

    def grow(self, request: Request, n: int) -> Grown:
        """See `KVStore`; there are no slots to name."""
        filled, size = self.filled[request], self.block_size
        need = -(-(filled + n) // size) - -(-filled // size)
        if need > self.free:
            raise NoRoom(f"no room for {n} tokens of request {request.id!r}: {self.free} blocks")
        self.free -= need
        self.filled[request] = filled + n
        return NOTHING

    def release(self, request: Request) -> None:
        """See `KVStore`."""
        self.free += -(-self.filled.pop(request) // self.block_size)

    def steps(self, requests: Sequence[Request], limit: int, head: Request | None = None) -> int:
        """See `KVStore`, and `PagedKV`, which counts likewise."""
        size, free, filled = self.block_size, self.free, self.filled
        if len(requests) * -(-limit // size) <= free:
            return limit
        room = sorted([-filled[r] % size for r in requests])
        rounds, rest = divmod(free, len(requests))
        return max(1, min(limit, rounds * size + room[rest]))

    def stats(self) -> KVStats:
        """See `KVStore`."""
        reserved = (self.units - self.free) * self.block_size
        return KVStats(self.units * self.block_size, reserved, sum(self.filled.values()))

    def assert_consistent(self) -> None:
        """See `KVStore`."""
        held = sum(-(-n // self.block_size) for n in self.filled.values())
        assert held + self.free == self.units, f"{held} held and {self.free} free of {self.units}"


class CountedTally:
    """See `Tally`."""

    __slots__ = ("_filled", "_size", "free")

    def __init__(self, kv: CountedKV) -> None:
        self._filled, self._size, self.free = kv.filled, kv.block_size, kv.free

    def take(self, request: Request, n: int, spare: int = 0) -> bool:
        """See `Tally`."""
        filled, size = self._filled.get(request, 0), self._size
        if n == 1 and filled % size:
            return spare <= self.free
        need = -(-(filled + n) // size) - -(-filled // size)
        if need + spare > self.free:
            return False
        self.free -= need
        return True

    def give(self, request: Request) -> None:
        """See `Tally`."""
        self.free += -(-self._filled[request] // self._size)
