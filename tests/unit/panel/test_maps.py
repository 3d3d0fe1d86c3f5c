"""KV maps on their way to the page: the title's finding, the figures, the bytes."""

import json

import numpy as np
import pytest

from constraintlab.panel import SHARED, KVMap
from constraintlab.panel.maps import pack, title

# 10 blocks of 10 tokens: two requests reserve 4 each and fill 10 and 6 of their 40.
CONTIGUOUS = KVMap("contiguous", 10, [1] * 4 + [2] * 4 + [0] * 2, [10, 0, 0, 0, 6, 0, 0, 0, 0, 0])
# Three requests: 10 + 6, 20 and 4 tokens.
PAGED = KVMap("paged", 10, [1, 2, 1, 3, 2] + [0] * 5, [10, 10, 6, 4, 10] + [0] * 5)
UNUSED = KVMap("paged", 10, [0] * 10, [0] * 10)


def test_the_title_says_how_many_a_pool_holds_and_how_much_they_waste():
    finding, shows = title([CONTIGUOUS])
    assert finding == "contiguous: 2 requests, 80% of the room they reserve is empty"
    assert shows == "10 blocks of 10 tokens"


def test_two_pools_are_compared_in_one_sentence():
    finding, shows = title([CONTIGUOUS, PAGED])
    # 10 of the 50 tokens that the five blocks hold
    assert finding == (
        "contiguous: 2 requests, 80% of the room they reserve is empty; paged: 3 requests, 20%"
    )
    assert shows == "10 blocks of 10 tokens each"


def test_pools_of_different_blocks_say_so():
    coarse = KVMap("coarse", 50, [1, 0], [20, 0])
    assert title([PAGED, coarse])[1] == "10 blocks of 10 tokens and 2 blocks of 50 tokens"


def test_one_request_is_named_as_one():
    one = KVMap("one", 10, [1, 1, 0], [10, 0, 0])
    assert title([one])[0] == "one: 1 request, 50% of the room it reserves is empty"


def test_an_unused_pool_claims_nothing():
    assert title([UNUSED])[0] == "paged: nothing is reserved"
    assert title([CONTIGUOUS, UNUSED])[0].endswith("is empty; paged: nothing is reserved")
    assert title([UNUSED, CONTIGUOUS])[0] == (
        "paged: nothing is reserved; contiguous: 2 requests, 80% empty"
    )


def test_shared_blocks_are_counted_apart_from_the_requests_own():
    shared = KVMap("shared", 10, [1, SHARED, SHARED, 2], [10, 10, 10, 10])
    head, _ = pack([shared])
    assert head["pools"][0]["holds"] == "2 requests, 2 blocks shared"
    assert head["pools"][0]["shared"] and not pack([PAGED])[0]["pools"][0]["shared"]


def test_the_figures_are_shares_of_the_pool_and_stand_in_the_text_for_screen_readers():
    head, _ = pack([CONTIGUOUS])
    assert head["pools"][0]["figures"] == [["used", "16%"], ["wasted", "64%"], ["free", "20%"]]
    assert head["facts"] == ["contiguous, 2 requests: used 16%, wasted 64%, free 20% of the pool"]


def test_a_source_is_named_once_for_all_its_pools():
    recorded = KVMap("old", 10, [1], [3], source="recorded: H100, 2026-11-01")
    assert pack([CONTIGUOUS, PAGED])[0]["sources"] == [
        {"kind": "measured", "what": "contiguous, paged"}
    ]
    assert [s["kind"] for s in pack([PAGED, recorded])[0]["sources"]] == ["measured", "recorded"]


def test_the_buffers_are_owners_and_fillings_in_the_order_of_the_pools():
    head, buffers = pack([CONTIGUOUS, PAGED])
    assert json.loads(json.dumps(head, allow_nan=False)) == head
    assert np.frombuffer(buffers[0], np.uint16).tolist() == CONTIGUOUS.owners.tolist()
    assert np.frombuffer(buffers[1], np.uint8).tolist() == CONTIGUOUS.filled.tolist()
    assert [len(b) for b in buffers] == [20, 10, 20, 10]


@pytest.mark.parametrize("none", [(), []])
def test_without_a_pool_there_is_nothing_to_show(none):
    assert pack(none) == ({}, [])
