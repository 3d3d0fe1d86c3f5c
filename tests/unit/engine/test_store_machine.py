"""All stores under random calls, against a pool whose contents are read back after each one."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from constraintlab.engine.kv.contiguous import ContiguousKV
from constraintlab.engine.kv.paged import PagedKV
from constraintlab.engine.kv.store import KVStats, NoRoom
from constraintlab.engine.request import Phase, Request, Sampling

from .mock import STORES, copy, read

tokens = st.lists(st.integers(0, 1), min_size=1, max_size=9)
pick = st.integers(0, 99)


class Stores(RuleBasedStateMachine):
    """Waiting and running requests over one store; what it answers beforehand must come true."""

    @initialize(
        store=st.sampled_from(list(STORES)), blocks=st.integers(1, 10), size=st.integers(1, 4)
    )
    def start(self, store, blocks, size):
        self.kv = STORES[store](blocks, size, longest=14)
        self.pool = [None] * (blocks * size)
        self.waiting, self.running = [], []
        self.count = 0

    def state(self):
        """All that a refused call must leave as it was."""
        tables = {r: list(self.kv.block_table(r)) for r in self.running}
        return tables, self.kv.free, self.kv.stats(), set(self.kv.holdings)

    def refused(self, error, call, *args):
        before = self.state()
        with pytest.raises(error):
            call(*args)
        assert self.state() == before

    def write(self, request, n):
        """Grow by n as the loop does; NoRoom exactly where the store said so."""
        need, free, can = self.kv.need(request, n), self.kv.free, self.kv.can_grow(request, n)
        if not can:
            self.refused(NoRoom, self.kv.grow, request, n)
            return False
        grown = self.kv.grow(request, n)
        assert self.kv.free == free - need and len(grown.slots) == n
        copy(self.pool, grown.copies, self.kv.block_size)
        start = request.computed
        for slot, token in zip(grown.slots, request.span(start, start + n), strict=True):
            self.pool[slot] = token
        request.advance(n)
        return True

    def enter(self, prompt, max_tokens):
        self.count += 1
        return Request(self.count, prompt, Sampling(max_tokens))

    @rule(prompt=tokens, max_tokens=st.integers(1, 6), blocks=st.none() | st.integers(1, 3))
    def arrive(self, prompt, max_tokens, blocks):
        """Any prompt, often one of exactly so many blocks, or longer than the pool."""
        if blocks:
            prompt = (prompt * 12)[: blocks * self.kv.block_size]
        request = self.enter(prompt, max_tokens)
        why = self.kv.refuse(request)
        if request.most > self.kv.units * self.kv.block_size:
            assert why
        if not why:
            self.waiting.append(request)

    @precondition(lambda self: self.waiting)
    @rule(at=pick, part=st.integers(1, 9))
    def admit(self, at, part):
        request = self.waiting[at % len(self.waiting)]
        cached = self.kv.prefix(request)
        assert 0 <= cached < request.length
        n = min(part, request.length - cached)
        need, free, can = self.kv.need(request, n), self.kv.free, self.kv.can_grow(request, n)
        if not self.running:
            assert can, "what was not refused fits an empty pool"
        if not can and isinstance(self.kv, ContiguousKV):
            self.refused(NoRoom, self.kv.attach, request)
            return
        self.waiting.remove(request)
        request.admit(self.kv.attach(request))
        assert request.computed == cached
        self.running.append(request)
        assert self.write(request, n) == can
        if can:
            assert self.kv.free == free - need

    @precondition(lambda self: self.running)
    @rule(tokens=st.lists(st.integers(0, 1), min_size=4, max_size=4))
    def emit(self, tokens):
        """Each that is up to date draws a token, unless it is its last."""
        for i, request in enumerate(self.running):
            if not request.todo and request.remaining > 1:
                request.append(tokens[i % len(tokens)])

    @precondition(lambda self: self.running)
    @rule(at=pick, part=st.integers(1, 9))
    def grow(self, at, part):
        request = self.running[at % len(self.running)]
        if request.todo:
            self.write(request, min(part, request.todo))

    @precondition(lambda self: self.running)
    @rule(at=pick, more=st.lists(st.integers(0, 1), max_size=3), max_tokens=st.integers(1, 4))
    def fork(self, at, more, max_tokens):
        parent = self.running[at % len(self.running)]
        if not parent.computed:
            return
        child = self.enter([*parent.span(0, parent.computed), *more], max_tokens)
        if self.kv.refuse(child):
            return
        self.refused(ValueError, self.kv.fork, parent, parent)
        if isinstance(self.kv, ContiguousKV) and not self.kv.can_grow(child, 1):
            self.refused(NoRoom, self.kv.fork, parent, child)
            return
        copy(self.pool, self.kv.fork(parent, child), self.kv.block_size)
        child.admit(parent.computed)
        self.running.append(child)

    @precondition(lambda self: self.running)
    @rule(at=pick)
    def preempt(self, at):
        request = self.running.pop(at % len(self.running))
        held, free = self.kv.held(request), self.kv.free
        self.kv.release(request)
        request.preempt()
        assert self.kv.free == free + held
        self.waiting.append(request)

    @precondition(lambda self: self.running)
    @rule(at=pick)
    def finish(self, at):
        request = self.running.pop(at % len(self.running))
        held, free = self.kv.held(request), self.kv.free
        request.finish("stop")
        self.kv.release(request)
        assert self.kv.free == free + held
        self.refused(ValueError, self.kv.release, request)

    @rule(grow=st.lists(pick, max_size=4), give=st.lists(pick, max_size=3), new=pick)
    def carry_out_what_a_tally_booked(self, grow, give, new):
        """Releases, then admissions, then growth, as the loop carries out a plan."""
        tally = self.kv.tally()
        gone, grown, joined = [], [], []
        for at in give[: len(self.running)]:
            request = self.running[at % len(self.running)]
            if request not in gone:
                tally.give(request)
                gone.append(request)
        for at in grow:
            rest = [r for r in self.running if r.todo and r not in gone and r not in grown]
            if rest and tally.take(rest[at % len(rest)], rest[at % len(rest)].todo):
                grown.append(rest[at % len(rest)])
        if not gone or isinstance(self.kv, ContiguousKV):
            for request in self.waiting[: new % 4]:
                if tally.take(request, request.todo - self.kv.prefix(request)):
                    joined.append(request)
        for request in gone:
            self.kv.release(request)
            request.preempt()
            self.running.remove(request)
            self.waiting.append(request)
        for request in joined:
            self.waiting.remove(request)
            request.admit(self.kv.attach(request))
            self.running.append(request)
        for request in (*grown, *joined):
            assert self.write(request, request.todo), "there was no room for what was booked"
        if isinstance(self.kv, PagedKV):
            assert self.kv.free == tally.free

    @invariant()
    def keys_and_values_are_where_the_tables_say(self):
        self.kv.assert_consistent()
        size, slots, blocks = self.kv.block_size, set(), set()
        for request in self.running:
            assert request.phase is Phase.RUNNING and request in self.kv
            assert read(self.pool, self.kv, request) == request.span(0, request.computed)
            table = self.kv.block_table(request)
            blocks.update(table)
            slots.update(table[i // size] * size + i % size for i in range(request.computed))
        units = self.kv.units
        assert self.kv.free == units - len(blocks)
        assert self.kv.stats() == KVStats(units * size, len(blocks) * size, len(slots))


Stores.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestStores = Stores.TestCase
