"""A KV pool block by block: what it counts, and what it refuses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.panel import SHARED, KVMap

# Five blocks of 4 tokens: request 1 holds two, request 2 one, one is shared, one is free.
OWNERS, FILLED = [1, 1, 2, SHARED, 0], [4, 1, 0, 4, 0]
SMALL = KVMap("small", 4, OWNERS, FILLED)


def test_it_counts_blocks_tokens_and_requests():
    assert (SMALL.blocks, SMALL.free, SMALL.tokens, SMALL.shared) == (5, 1, 9, 1)
    assert (SMALL.requests, SMALL.reserved) == (2, 16)
    # 7 of the 16 reserved hold nothing; of 20: 9 used, 7 wasted, 4 free.
    assert SMALL.empty == pytest.approx(7 / 16)
    assert SMALL.shares == pytest.approx({"used": 0.45, "wasted": 0.35, "free": 0.2})


def test_in_a_pool_that_nobody_uses_nothing_is_wasted():
    unused = KVMap("unused", 16, [0, 0], [0, 0])
    assert unused.shares == {"used": 0, "wasted": 0, "free": 1}
    assert (unused.empty, unused.requests, unused.reserved) == (0, 0, 0)


@given(st.lists(st.tuples(st.integers(0, SHARED), st.integers(0, 255)), min_size=1, max_size=300))
def test_the_shares_add_up_and_none_is_negative(blocks):
    owners = [owner for owner, _ in blocks]
    m = KVMap("any", 255, owners, [n if owner else 0 for owner, n in blocks])
    assert sum(m.shares.values()) == pytest.approx(1)
    assert all(share >= 0 for share in m.shares.values()) and 0 <= m.empty <= 1
    assert m.requests == len(set(owners) - {0, SHARED})


def test_what_the_caller_changes_later_does_not_change_the_map():
    owners, filled = np.array([1, 2], np.uint16), np.array([3, 4], np.uint8)
    m = KVMap("kept", 4, owners, filled)
    owners[:], filled[:] = 9, 0
    assert m.owners.tolist() == [1, 2] and m.filled.tolist() == [3, 4]
    with pytest.raises(ValueError, match="read-only"):
        m.owners[0] = 3


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"filled": [4, 1, 0, 4]}, "5 owners and 4 fillings: give one of each"),
        ({"owners": [], "filled": []}, "0 owners and 0 fillings"),
        ({"filled": [4, 1, 0, 5, 0]}, "filled runs from 0 to 5: give 0 to 4"),
        ({"filled": [4, 1, 0, -1, 0]}, "filled runs from -1 to 4"),
        ({"owners": [1, 1, 2, 65536, 0]}, "owners runs from 0 to 65536: give 0 to 65535"),
        ({"filled": [4, 1, 0, 4, 2]}, "block 4 is free and holds 2 tokens: give it an owner"),
        ({"filled": [4, 0.5, 0, 4, 0]}, "filled must be whole numbers"),
        ({"owners": [OWNERS]}, "owners must be whole numbers in one row"),
        ({"block_size": 0}, "block_size=0: the map takes 1 to 255"),
        ({"block_size": 256}, "block_size=256"),
    ],
)
def test_what_is_no_pool_is_refused_with_the_fix(options, says):
    given = {"name": "small", "block_size": 4, "owners": OWNERS, "filled": FILLED} | options
    with pytest.raises(ValueError, match=says):
        KVMap(**given)
