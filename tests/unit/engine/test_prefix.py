"""The prefix cache by hand: exact blocks, hits after a preemption, what is given up first."""

import pytest

from constraintlab.engine.kv.prefix import PrefixKV
from constraintlab.engine.kv.store import KVStats, NoRoom
from constraintlab.engine.request import Request, Sampling

from .holders import enter, leave


def test_a_full_prompt_is_found_again_but_for_its_last_block():
    kv = PrefixKV(8, 4)
    leave(kv, enter(kv, range(12)))
    for n, cached in ((3, 0), (4, 0), (5, 4), (8, 4), (9, 8), (12, 8)):
        assert kv.prefix(Request("r", range(n), Sampling(2))) == cached
    assert kv.prefix(Request("r", range(13), Sampling(2))) == 12
    assert kv.free == 8 and kv.stats().reserved == 0, "cached but unused counts as free"


def test_a_prompt_of_exactly_one_block_is_computed_and_then_serves_longer_ones():
    kv = PrefixKV(4, 4)
    one = enter(kv, range(4))
    assert kv.prefix(Request("r", range(4), Sampling(1))) == 0
    longer = enter(kv, range(6))
    assert longer.computed == 6 and kv.block_table(longer)[0] == kv.block_table(one)[0]
    assert kv.stats() == KVStats(16, 8, 6) and kv.held(longer) == 1
    leave(kv, one, longer)
    assert (kv.asked, kv.hit) == (10, 4)


def test_a_prefix_counts_from_the_first_token_only():
    kv = PrefixKV(8, 4)
    leave(kv, enter(kv, range(8)))
    assert kv.prefix(Request("r", [9, *range(1, 9)], Sampling(1))) == 0
    assert kv.prefix(Request("r", [*range(4, 8), *range(4, 9)], Sampling(1))) == 0
    assert kv.prefix(Request("r", [*range(4), 9, 9, 9, 9, 9], Sampling(1))) == 4


def test_a_preempted_request_finds_its_own_blocks_output_among_them():
    kv = PrefixKV(8, 4)
    request = enter(kv, range(6), max_tokens=9)
    for token in (6, 7, 8):
        request.append(token)
        kv.grow(request, 1)
        request.advance(1)
    kv.release(request)
    request.preempt()
    assert (request.length, kv.prefix(request)) == (9, 8)
    request.admit(kv.attach(request))
    assert request.todo == 1 and kv.need(request, 1) == 1
    leave(kv, request)


def test_a_preempted_request_may_find_a_part_or_nothing_of_its_blocks():
    kv = PrefixKV(4, 4)
    request = enter(kv, range(12))
    kv.release(request)
    request.preempt()
    leave(kv, enter(kv, [99] * 5))
    assert kv.prefix(request) == 8, "two blocks were free without losing any but the end"
    leave(kv, enter(kv, [98] * 16))
    assert kv.prefix(request) == 0
    request.admit(kv.attach(request))
    assert kv.grow(request, 12).copies == ()
    kv.assert_consistent()


def test_blocks_that_are_not_computed_are_not_shared():
    kv = PrefixKV(8, 4)
    request = Request("r", range(9), Sampling(2))
    twin = Request("twin", range(9), Sampling(2))
    request.admit(kv.attach(request))
    kv.grow(request, 9)
    assert kv.prefix(twin) == 0
    request.advance(5)
    assert kv.prefix(twin) == 4
    request.advance(4)
    assert kv.prefix(twin) == 8
    cancelled = Request("c", [7] * 9, Sampling(2))
    cancelled.admit(kv.attach(cancelled))
    kv.grow(cancelled, 9)
    leave(kv, cancelled)
    assert kv.prefix(Request("d", [7] * 9, Sampling(2))) == 0, "it left before the step ran"


def test_the_least_recently_used_prefix_is_given_up_first_from_its_end():
    kv = PrefixKV(4, 4)
    leave(kv, enter(kv, [1] * 8))
    leave(kv, enter(kv, [2] * 8))
    leave(kv, enter(kv, [1] * 9, n=8))
    ask = [Request("r", [t] * 9, Sampling(1)) for t in (1, 2)]
    assert [kv.prefix(r) for r in ask] == [8, 8]
    running = enter(kv, [3] * 4)
    assert [kv.prefix(r) for r in ask] == [8, 4]
    leave(kv, running)


def test_a_block_in_use_is_never_given_up():
    kv = PrefixKV(3, 4)
    leave(kv, enter(kv, range(8)))
    user = enter(kv, range(9), n=8)
    other = enter(kv, [50] * 4)
    assert kv.block_table(user) != kv.block_table(other) and kv.free == 0
    with pytest.raises(NoRoom):
        kv.grow(user, 1)
    leave(kv, other, user)


def test_two_copies_of_one_text_are_both_right_and_both_freed():
    kv = PrefixKV(8, 4)
    twins = [Request(i, range(5), Sampling(2)) for i in range(2)]
    for twin in twins:
        twin.admit(kv.attach(twin))
    for twin in twins:
        kv.grow(twin, 5)
        twin.advance(5)
    assert kv.free == 4
    assert kv.prefix(Request("r", range(5), Sampling(2))) == 4
    leave(kv, *twins)
    assert kv.free == 8 and kv.prefix(Request("r", range(5), Sampling(2))) == 4


def test_a_prefix_ends_at_its_first_gap_although_later_blocks_are_known():
    kv = PrefixKV(5, 4)
    short, long = Request("short", range(5), Sampling(2)), Request("long", range(9), Sampling(2))
    for request in (short, long):
        request.admit(kv.attach(request))
    for request in (short, long):
        kv.grow(request, request.length)
        request.advance(request.length)
    assert kv.prefix(Request("r", range(9), Sampling(1))) == 8, "a block of each"
    leave(kv, short, long)
    user = enter(kv, [50] * 16)
    assert kv.free == 1, "short's block is lost, long's second is not"
    assert kv.prefix(Request("r", range(9), Sampling(1))) == 0
    leave(kv, user)


def test_what_a_finished_request_computed_is_found_in_the_same_step():
    kv = PrefixKV(8, 4)
    request = enter(kv, range(8), max_tokens=1)
    request.append(8)
    leave(kv, request)
    assert kv.prefix(Request("next", range(10), Sampling(2))) == 8
