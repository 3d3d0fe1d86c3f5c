"""The paged store with a prefix cache: full blocks are found again by the tokens up to them."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from hashlib import blake2b
from weakref import WeakKeyDictionary

from constraintlab.engine.kv.paged import PagedKV
from constraintlab.engine.kv.store import Grown
from constraintlab.engine.kv.tables import Holding
from constraintlab.engine.request import Request

KEY_BYTES = 32


class PrefixKV(PagedKV):
    """A `PagedKV` in which a new request shares the blocks that its first tokens have already.

    A block's key is a hash over the key of the block before and its own tokens, so it stands
    for all tokens up to its end; 256 bits of BLAKE2b, so that no two texts share one. A block
    is known once it is full and computed, and stays known when nobody holds it, until the
    allocator hands it out again: the least recently used first.
    """

    def __init__(self, n_blocks: int, block_size: int = 16) -> None:
        super().__init__(n_blocks, block_size)
        self.asked = 0
        """Tokens of all requests that were attached, recomputed ones again."""
        self.hit = 0
        """Tokens of those that were cached."""
        self._block_of: dict[bytes, int] = {}
        self._key_of: dict[int, bytes] = {}
        self._known: dict[Request, int] = {}
        self._filling: dict[Request, None] = {}
        self._keys: WeakKeyDictionary[Request, list[bytes]] = WeakKeyDictionary()

    def cached(self, request: Request) -> list[int]:
        """The known blocks that its first tokens have, its last token in none of them."""
        return self.known(request, (request.length - 1) // self.block_size)

    def known(self, request: Request, n: int) -> list[int]:
        """The cached ones of its first `n` blocks, up to the first that is not cached."""
        for growing in list(self._filling):
            self._learn(growing)
        found = []
        for key in self._chain(request, n):
            block = self._block_of.get(key)
            if block is None:
                break
            found.append(block)
        return found

    def attach(self, request: Request) -> int:
        """See `KVStore`."""
        self.check_new(request)
        shared = self.cached(request)
        for block in shared:
            if not self.blocks.refs[block]:
                self.used += self.block_size
            self.blocks.hold(block)
        filled = len(shared) * self.block_size
        self.enter(request, Holding(shared, filled))
        self._known[request] = len(shared)
        self.asked += request.length
        self.hit += filled
        return filled

    def grow(self, request: Request, n: int) -> Grown:
        """See `KVStore`."""
        grown = super().grow(request, n)
        if self.holdings[request].filled % self.block_size < n:
            self._filling[request] = None
        return grown

    def take(self) -> int:
        """A block from those that nobody holds; what was in it is forgotten."""
        block = self.blocks.take()
        key = self._key_of.pop(block, None)
        if key is not None:
            del self._block_of[key]
        return block

    def drop(self, block: int) -> bool:
        """One holder less; a known block is kept as long as possible."""
        return self.blocks.drop(block, back=block in self._key_of)

    def release(self, request: Request) -> None:
        """See `KVStore`."""
        if request in self._filling:
            self._learn(request)
            self._filling.pop(request, None)
        super().release(request)
        del self._known[request]

    def fork(self, parent: Request, child: Request) -> Sequence[tuple[int, int]]:
        """See `KVStore`."""
        copies = super().fork(parent, child)
        self._known[child] = self._known[parent]
        if parent in self._filling:
            self._filling[child] = None
        return copies

    def steps(self, requests: Sequence[Request], limit: int, head: Request | None = None) -> int:
        """See `KVStore`. Only a request whose tokens so far all begin `head` can fill a block
        that `head` is going to share."""
        limit = super().steps(requests, limit)
        if head is None:
            return limit
        for request in requests:
            n = request.length
            if n <= head.length and request.span(0, n) == head.span(0, n):
                limit = min(limit, self.block_size - (n - 1) % self.block_size)
        return limit

    def _learn(self, request: Request) -> None:
        """Its full and computed blocks are known from now on, if not by another's copy."""
        holding = self.holdings[request]
        full = holding.filled // self.block_size
        ready = min(request.computed // self.block_size, full)
        keys = self._chain(request, ready)
        for i in range(self._known[request], ready):
            block = holding.table[i]
            if keys[i] not in self._block_of:
                self._block_of[keys[i]], self._key_of[block] = block, keys[i]
        self._known[request] = ready
        if ready == full:
            self._filling.pop(request, None)

    def _chain(self, request: Request, n: int) -> list[bytes]:
        """Keys of its first n blocks; each is hashed once, since a request's tokens stay."""
        keys = self._keys.get(request)
        if keys is None:
            keys = self._keys[request] = []
        size = self.block_size
        for i in range(len(keys), n):
            before = keys[-1] if keys else b""
            tokens = array("q", request.span(i * size, (i + 1) * size)).tobytes()
            keys.append(blake2b(before + tokens, digest_size=KEY_BYTES).digest())
        return keys[:n]

    def assert_consistent(self) -> None:
        """See `KVStore`."""
        super().assert_consistent()
        assert self._known.keys() == self.holdings.keys(), "requests known and held differ"
        assert self._filling.keys() <= self.holdings.keys(), "a request that left is filling"
        assert {b: k for k, b in self._block_of.items()} == self._key_of, "keys and blocks differ"
        for request, holding in self.holdings.items():
            known, full = self._known[request], holding.filled // self.block_size
            assert (known < full) == (request in self._filling), (
                f"{request.id!r}: {known} of {full}"
            )
            keys = self._chain(request, known)
            for i, key in enumerate(keys):
                twin = self._key_of.get(holding.table[i])
                assert twin in (None, key), f"block {holding.table[i]} is known by a wrong key"
