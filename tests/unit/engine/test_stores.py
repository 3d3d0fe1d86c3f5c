"""What the stores do, by hand: paged and contiguous, each refusal and each call out of order."""

import pytest

from constraintlab.engine.kv.contiguous import ContiguousKV
from constraintlab.engine.kv.paged import PagedKV
from constraintlab.engine.kv.store import KVStats, KVStore, NoRoom
from constraintlab.engine.request import Request, Sampling

from .holders import enter, leave
from .mock import STORES


@pytest.mark.parametrize("store", STORES)
def test_each_store_offers_the_whole_contract(store):
    kv = STORES[store](4, 4)
    names = {n for n in {*vars(KVStore), *KVStore.__annotations__} if not n.startswith("_")}
    assert {"grow", "fork", "units", "free"} <= names
    assert not [name for name in names if not hasattr(kv, name)]


def test_paged_growth_names_each_slot_and_takes_blocks_as_they_fill():
    kv = PagedKV(8, 4)
    one, two = enter(kv, [1] * 3), enter(kv, [2] * 4)
    assert kv.block_table(one) == [0] and kv.block_table(two) == [1]
    one.append(7)
    assert kv.need(one, 1) == 0 and list(kv.grow(one, 1).slots) == [3]
    assert kv.need(one, 1) == 1 and list(kv.grow(one, 6).slots) == [8, 9, 10, 11, 12, 13]
    assert kv.block_table(one) == [0, 2, 3]
    assert kv.stats() == KVStats(capacity=32, reserved=16, used=14)
    assert kv.stats().waste == pytest.approx(2 / 16)


def test_a_fork_shares_until_one_of_them_writes():
    kv = PagedKV(8, 4)
    parent = enter(kv, [1] * 6)
    child = Request("child", [1] * 6, Sampling(4))
    assert kv.fork(parent, child) == ()
    assert kv.free == 6 and kv.held(parent) == 0 and kv.stats().used == 6
    assert kv.need(parent, 1) == 1 and kv.need(child, 1) == 1
    grown = kv.grow(parent, 1)
    assert grown.copies == ((1, 2),) and list(grown.slots) == [10]
    assert kv.block_table(parent) == [0, 2] and kv.block_table(child) == [0, 1]
    assert kv.grow(child, 1).copies == (), "the block is its own by now"
    assert kv.stats() == KVStats(32, 12, 10)
    leave(kv, parent, child)
    assert kv.free == 8


def test_a_fork_at_the_end_of_a_block_never_copies():
    kv = PagedKV(8, 4)
    parent = enter(kv, [1] * 8)
    child = Request("child", [1] * 8, Sampling(4))
    kv.fork(parent, child)
    assert kv.grow(parent, 1).copies == () and kv.grow(child, 1).copies == ()


def test_a_contiguous_fork_has_its_own_run_and_copies_what_is_filled():
    kv = ContiguousKV(8, 4, max_length=16)
    parent = enter(kv, [1] * 6)
    child = Request("child", [1] * 6, Sampling(4))
    assert kv.fork(parent, child) == ((0, 4), (1, 5))
    assert list(kv.block_table(child)) == [4, 5, 6, 7] and kv.free == 0
    with pytest.raises(NoRoom):
        kv.fork(parent, Request("third", [1] * 6, Sampling(4)))
    kv.assert_consistent()


@pytest.mark.parametrize("store", STORES)
def test_a_fork_with_another_text_is_told(store):
    kv = STORES[store](40, 4)
    parent = enter(kv, [1, 2, 3])
    for prompt in ([1, 2], [1, 2, 4]):
        with pytest.raises(ValueError, match="begins with them"):
            kv.fork(parent, Request("child", prompt, Sampling(4)))


@pytest.mark.parametrize("store", STORES)
def test_calls_out_of_order_are_told(store):
    kv = STORES[store](40, 4)
    request = Request("r", [1, 2, 3], Sampling(4))
    for call in (kv.release, kv.held, kv.block_table, lambda r: kv.grow(r, 1)):
        with pytest.raises(ValueError, match="attach it first"):
            call(request)
    kv.attach(request)
    with pytest.raises(ValueError, match="release it first"):
        kv.attach(request)
    leave(kv, request)
    assert kv.free == 40


@pytest.mark.parametrize(("blocks", "size", "name"), [(0, 4, "n_blocks"), (4, 0, "block_size")])
@pytest.mark.parametrize("store", STORES)
def test_a_pool_of_nothing_is_told(store, blocks, size, name):
    with pytest.raises(ValueError, match=f"{name}=0: give 1 or more"):
        STORES[store](blocks, size)


@pytest.mark.parametrize("store", ["paged", "prefix", "oracle"])
def test_a_request_that_may_outgrow_the_pool_is_refused_and_one_token_less_is_not(store):
    kv = STORES[store](2, 4)
    assert kv.refuse(Request("r", [1] * 5, Sampling(4))) == ""
    for request in (Request("r", [1] * 9, Sampling(1)), Request("r", [1] * 5, Sampling(5))):
        assert "the pool has 8: " in kv.refuse(request)


def test_contiguous_refusals_tell_the_model_s_limit_from_the_pool_s():
    kv = ContiguousKV(4, 4, max_length=20)
    assert "the model takes 20" in kv.refuse(Request("r", [1] * 20, Sampling(2)))
    assert "reserves 20 tokens, the pool has 16" in kv.refuse(Request("r", [1], Sampling(1)))
    with pytest.raises(ValueError, match="use max, pow2, oracle"):
        ContiguousKV(4, 4, max_length=20, reserve="all")
    with pytest.raises(ValueError, match="1 or more"):
        ContiguousKV(4, 4, max_length=0)


@pytest.mark.parametrize(
    ("reserve", "prompt", "max_tokens", "blocks"),
    [
        ("max", 1, 1, 25),
        ("pow2", 10, 25, 11),  # 10 + 32
        ("pow2", 10, 32, 11),
        ("pow2", 10, 33, 19),  # 10 + 64
        ("pow2", 10, 70, 25),  # 10 + 128, cut at 100
        ("pow2", 3, 1, 1),
        ("oracle", 10, 25, 9),  # 10 + 25 − 1
        ("oracle", 4, 1, 1),
        ("oracle", 4, 2, 2),
    ],
)
def test_reservations(reserve, prompt, max_tokens, blocks):
    kv = ContiguousKV(100, 4, max_length=100, reserve=reserve)
    assert kv.reservation(Request("r", [1] * prompt, Sampling(max_tokens))) == blocks


def test_a_contiguous_request_holds_its_reservation_from_the_start():
    kv = ContiguousKV(10, 4, max_length=16)
    request = enter(kv, [1] * 3)
    assert kv.stats() == KVStats(40, 16, 3) and kv.held(request) == 4
    assert kv.need(request, 10) == 0 and kv.can_grow(request, 13)
    assert not kv.can_grow(request, 14)
    with pytest.raises(NoRoom):
        kv.grow(request, 14)


def test_first_fit_takes_the_first_run_and_joins_neighbours_again():
    kv = ContiguousKV(12, 1, max_length=12, reserve="oracle")
    a, b, c, d = (enter(kv, [1] * n, max_tokens=1) for n in (3, 2, 4, 3))
    leave(kv, a, c)
    assert (kv.free, kv.largest_run) == (7, 4)
    five = Request("r", [1] * 5, Sampling(1))
    assert kv.need(five, 5) <= kv.free and not kv.can_grow(five, 5)
    small = enter(kv, [1] * 2, max_tokens=1)
    assert list(kv.block_table(small)) == [0, 1]
    leave(kv, b)
    assert kv.largest_run == 7, "block 2, b's and c's run"
    leave(kv, d, small)
    assert kv.largest_run == 12


def test_a_tally_counts_a_shared_end_that_both_want_to_write_as_one_copy():
    kv = PagedKV(4, 4)
    parent = enter(kv, [1] * 6)
    child = Request("child", [1] * 7, Sampling(4))
    kv.fork(parent, child)
    tally = kv.tally()
    assert tally.take(parent, 1) and tally.take(child, 1) and tally.free == 1
    tally = kv.tally()
    tally.give(child)
    assert tally.free == 2 and tally.take(parent, 1) and tally.free == 2


def test_a_contiguous_tally_joins_what_is_given_to_the_runs_and_leaves_the_store_alone():
    kv = ContiguousKV(12, 1, max_length=12, reserve="oracle")
    a, b = (enter(kv, [1] * 4, max_tokens=1) for _ in range(2))
    five, more = (Request(i, [1] * 5, Sampling(1)) for i in range(2))
    tally = kv.tally()
    assert not tally.take(five, 5), "four are free"
    tally.give(b)
    assert tally.take(five, 5) and not tally.take(more, 5)
    tally.give(a)
    assert not tally.take(more, 5), "three lie after the five, four before them"
    kv.assert_consistent()
    assert kv.free == 4 and kv.can_grow(Request("r", [1] * 4, Sampling(1)), 4)
