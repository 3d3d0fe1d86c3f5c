"""What every store keeps: for each request its table of blocks and how far it is filled."""

from __future__ import annotations

from collections.abc import Sequence

from constraintlab.engine.kv.store import check_pool
from constraintlab.engine.request import Request


class Holding:
    """One request's part of the pool: its blocks, in order, and how many tokens have slots."""

    __slots__ = ("filled", "table")

    def __init__(self, table: Sequence[int], filled: int = 0) -> None:
        self.table, self.filled = table, filled


class Tables:
    """The tables of a pool of `n_blocks` blocks of `block_size` slots; stores build on it.

    Raises ValueError for sizes below 1.
    """

    def __init__(self, n_blocks: int, block_size: int) -> None:
        check_pool(n_blocks, block_size)
        self.units, self.block_size = n_blocks, block_size
        self.holdings: dict[Request, Holding] = {}
        self.used = 0
        """Slots that hold a token, each counted once."""

    def __contains__(self, request: Request) -> bool:
        return request in self.holdings

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.units} blocks of {self.block_size}, {self.free} free)"

    def holding(self, request: Request) -> Holding:
        """What the request has; ValueError if it is not in the store."""
        found = self.holdings.get(request)
        if found is None:
            raise ValueError(f"request {request.id!r} is not in the KV store: attach it first")
        return found

    def enter(self, request: Request, holding: Holding) -> None:
        """The request is in the store from now on."""
        self.check_new(request)
        self.holdings[request] = holding

    def check_new(self, request: Request) -> None:
        """ValueError if the request is in the store already."""
        if request in self.holdings:
            raise ValueError(f"request {request.id!r} is in the KV store: release it first")

    def check_fork(self, parent: Request, child: Request) -> Holding:
        """The parent's holding; ValueError unless the child is new and begins like the parent."""
        self.check_new(child)
        holding = self.holding(parent)
        n = holding.filled
        if child.span(0, n) != parent.span(0, n):
            raise ValueError(
                f"request {child.id!r} can't share the {n} tokens of {parent.id!r}: give it a "
                "prompt that begins with them"
            )
        return holding

    def block_table(self, request: Request) -> Sequence[int]:
        """See `KVStore`."""
        return self.holding(request).table

    def blocks_for(self, tokens: int) -> int:
        """Blocks that so many tokens fill or begin."""
        return -(-tokens // self.block_size)

    def slots(self, table: Sequence[int], start: int, stop: int) -> Sequence[int]:
        """Flat slots of tokens `start` up to `stop` of a request with this table."""
        size = self.block_size
        if stop - start == 1:
            return (table[start // size] * size + start % size,)
        found: list[int] = []
        while start < stop:
            flat = table[start // size] * size + start % size
            n = min(size - start % size, stop - start)
            found.extend(range(flat, flat + n))
            start += n
        return found

    def refuse_longer(self, request: Request, limit: int, what: str) -> str:
        """The refusal of a request that may need more than `limit` tokens; '' if it may not."""
        if request.most <= limit:
            return ""
        return (
            f"a prompt of {len(request.prompt)} tokens and max_tokens={request.sampling.max_tokens}"
            f" may need {request.most} tokens of KV, {what} {limit}: shorten the prompt, lower "
            "max_tokens, or make the pool larger"
        )
