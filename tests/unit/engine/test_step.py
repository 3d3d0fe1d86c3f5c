"""Steps and the pool they write into: where each new token's key and value lie."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.engine.model import hf
from constraintlab.engine.model.pool import KVPool
from constraintlab.engine.model.step import Chunk, Step

from .tiny import FAMILIES


def test_a_mixed_step_by_hand():
    chunks = [
        Chunk([7], 5, (4, 2)),
        Chunk([8], 0, (1,)),
        Chunk([1, 2, 3], 3, (6, 3), wanted=False),
        Chunk([9], 4, (5, 0)),
    ]
    step = Step.of(chunks, 4)
    assert step.tokens.tolist() == [7, 8, 1, 2, 3, 9]
    assert step.positions.tolist() == [5, 0, 3, 4, 5, 4]
    assert step.slots.tolist() == [2 * 4 + 1, 4, 6 * 4 + 3, 3 * 4, 3 * 4 + 1, 0]
    assert step.seq_lens.tolist() == [6, 1, 6, 5]
    assert step.cu_seqlens_q.tolist() == [0, 1, 2, 5, 6] and step.new == [1, 1, 3, 1]
    assert step.decodes == 2  # a chunk of one token after a longer one is prefill's
    assert step.wanted.tolist() == [0, 1, 5]
    assert step.block_table.tolist() == [[4, 2], [1, 0], [6, 3], [5, 0]]
    whole = (step.tokens, step.positions, step.slots, step.wanted)
    assert all(t.dtype == torch.int64 for t in whole)
    short = (step.block_table, step.seq_lens, step.cu_seqlens_q)
    assert all(t.dtype == torch.int32 for t in short)


@given(
    sizes=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=5),
    block=st.integers(1, 5),
)
def test_every_new_token_has_the_slot_that_the_table_gives_it(sizes, block):
    chunks, start = [], 0
    for new, past in sizes:
        need = -(-(new + past) // block)
        chunks.append(Chunk(list(range(new)), past, tuple(range(start, start + need))))
        start += need
    step = Step.of(chunks, block)
    assert len(set(step.slots.tolist())) == len(step.slots)
    for b in range(step.sequences):
        for row in range(*step.cu_seqlens_q[b : b + 2].tolist()):
            where, slot = int(step.positions[row]), int(step.slots[row])
            assert slot == int(step.block_table[b, where // block]) * block + where % block
    assert step.wanted.tolist() == [end - 1 for end in step.cu_seqlens_q[1:].tolist()]


def test_chunks_that_cannot_run_are_refused():
    with pytest.raises(ValueError, match="chunk 1 has no new tokens"):
        Step.of([Chunk([1], 0, (0,)), Chunk([], 0, (1,))], 4)
    with pytest.raises(ValueError, match="room for 5 tokens, its 1 blocks of 4 hold 4"):
        Step.of([Chunk([1, 2], 3, (0,))], 4)


@pytest.fixture
def pool():
    return KVPool(hf.from_dict(FAMILIES["llama"]), 6, 4)


def test_a_pool_s_figures(pool):
    assert pool.tokens == 24 and pool.bytes_per_token == 2 * 3 * 2 * 32 * 4
    assert pool.bytes == sum(t.nbytes for t in (*pool.k, *pool.v))
    assert len(pool.k) == 3 and pool.v[0].shape == (6, 4, 2, 32)


def test_copies_reach_every_layer_and_read_before_they_write(pool):
    for layer in (*pool.k, *pool.v):
        layer.copy_(torch.arange(6.0)[:, None, None, None].expand_as(layer))
    pool.copy([(1, 3), (3, 5)])
    for layer in (*pool.k, *pool.v):
        assert layer[:, 0, 0, 0].tolist() == [0, 1, 2, 1, 4, 3]
    pool.copy([])
    with pytest.raises(ValueError, match="written twice"):
        pool.copy([(0, 1), (2, 1)])


def test_slots_outside_the_pool_are_refused(pool):
    pool.check(torch.tensor([0, 23]))
    pool.check(torch.tensor([], dtype=torch.int64))
    for slot in (24, -1):
        with pytest.raises(IndexError, match="of a pool of 24"):
            pool.check(torch.tensor([3, slot]))


def test_an_empty_pool_is_refused():
    with pytest.raises(ValueError, match="1 or more of each"):
        KVPool(hf.from_dict(FAMILIES["llama"]), 0)
