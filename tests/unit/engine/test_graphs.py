"""Decode steps from buffers that stay: the same answers, and nothing of the padding is seen."""

import pytest
import torch

from constraintlab.engine.kv.paged import PagedKV
from constraintlab.engine.kv.prefix import PrefixKV
from constraintlab.engine.loop import Engine
from constraintlab.engine.model.decoder import Decoder
from constraintlab.engine.model.device_runner import eager
from constraintlab.engine.model.graphs import Graphs, sizes
from constraintlab.engine.model.pool import KVPool
from constraintlab.engine.model.presets import preset
from constraintlab.engine.model.runner import Runner
from constraintlab.engine.plan import Budget
from constraintlab.engine.policies.chunked import Chunked
from constraintlab.engine.request import Request, Sampling

from .standin import Again, runner
from .test_engine import requests

SLOTS = 6


@pytest.fixture(scope="module")
def decoder():
    return Decoder(*preset("nano"))


def run(model, kv, asked, budget=None):
    engine = Engine(model, Chunked(), kv, budget or Budget(SLOTS, 40))
    for request in asked:
        assert not engine.submit(request)
    steps = []
    while engine.busy:
        steps.append(engine.step())
        kv.assert_consistent()
    return [list(r.output) for r in asked], steps


def plain(decoder, kv, asked):
    return run(Runner(decoder, KVPool(decoder.config, kv.units, kv.block_size)), kv, asked)[0]


@pytest.mark.parametrize("store", [PagedKV, PrefixKV])
def test_answers_are_those_of_the_eager_path(decoder, store):
    """Batches of every size, prompts between, KV that is lost, blocks that are copied."""
    record = Again()
    model = runner(decoder, 14, 16, slots=SLOTS, record=record)
    found, steps = run(model, store(14, 16), requests())
    assert found == plain(decoder, store(14, 16), requests())
    assert record.recorded == len(sizes(SLOTS)) == 4
    decodes = sum(not s.prefill for s in steps)
    assert record.replayed == model.passes["graph"] >= decodes > 20
    assert {s.sequences for s in steps if not s.prefill} >= {1, 2, 3}
    assert any(s.preempted for s in steps)
    assert model.passes["eager: a prompt is in the step"] == len(steps) - record.replayed


def test_drawn_tokens_are_those_of_the_eager_path_too(decoder):
    how = {"temperature": 1.3, "top_p": 0.8, "seed": 5}
    model = runner(decoder, 32, 16, slots=SLOTS)
    found = run(model, PagedKV(32, 16), requests(**how))[0]
    assert found == plain(decoder, PagedKV(32, 16), requests(**how))


def test_padded_rows_write_to_no_slot_that_a_table_can_list(decoder):
    model = runner(decoder, 8, 4, slots=4)
    pool = model.pool
    found, kept = [], [t.clone() for t in (*pool.k, *pool.v)]
    assert all(t[:8].isnan().all() for t in kept), "recording wrote to the spare block alone"
    engine = Engine(model, Chunked(), PagedKV(8, 4), Budget(3, 8))
    asked = [Request(i, [i + 1], Sampling(3)) for i in range(3)]
    for request in asked:
        engine.submit(request)
    slots = set()
    while engine.busy:
        before = [t.clone() for t in (*pool.k, *pool.v)]
        step = engine.step()
        slots |= set(model.last.slots.tolist())
        for old, new in zip(before, (*pool.k, *pool.v), strict=True):
            flat = (old.flatten(0, 1), new.flatten(0, 1))
            same = [torch.equal(*(t[i].nan_to_num() for t in flat)) for i in range(8 * 4)]
            changed = {i for i, equal in enumerate(same) if not equal}
            assert changed <= set(model.last.slots.tolist())
        found.append(step.sequences)
    assert found == [3, 3, 3] and model.passes == {"graph": 3} and max(slots) < 32
    assert not pool.k[0][8, 0].isnan().any() and pool.k[0][8, 1:].isnan().all()


def test_a_row_that_draws_nothing_leaves_the_others_their_logits(decoder):
    """A prompt's chunk of one token is a decode to the kernels, and amid it nothing is drawn."""

    def asked():
        return [Request(1, [7], Sampling(9)), Request(0, [1, 2, 3, 4, 5, 6], Sampling(2))]

    model = runner(decoder, 16, 4, slots=4)
    found, steps = run(model, PagedKV(16, 4), asked(), Budget(2, 2))
    assert found == plain(decoder, PagedKV(16, 4), asked())
    assert set(model.passes) == {"graph"}, "a step of two tokens is two of one"
    assert any(len(s.emitted) < s.sequences for s in steps)


def test_what_has_no_graph_runs_eagerly_and_says_why(decoder):
    model = runner(decoder, 64, 2, slots=2, width=16)
    asked = [Request(i, [1] * 30, Sampling(6)) for i in range(3)]
    run(model, PagedKV(64, 2), asked, Budget(3, 100))
    assert set(model.passes) == {
        "eager: a prompt is in the step", "eager: more than 2 sequences",
    }  # fmt: skip
    run(model, PagedKV(64, 2), [Request(9, [1] * 30, Sampling(6))])
    assert model.passes["graph"] == 2, "31 and 32 tokens"
    assert model.passes["eager: a sequence of more than 16 blocks"] == 3


def test_where_none_can_be_recorded_all_runs_eagerly_and_says_why(decoder):
    def record(call):
        call()
        raise RuntimeError("operation not permitted when stream is capturing\nmore lines")

    model = runner(decoder, 14, 16, slots=SLOTS, record=record)
    found, steps = run(model, PagedKV(14, 16), requests(4))
    assert found == plain(decoder, PagedKV(14, 16), requests(4))
    (why,) = model.passes
    assert why == (
        "eager: CUDA graphs could not be recorded: operation not permitted when stream is capturing"
    )
    assert model.passes[why] == len(steps)


def test_a_pool_without_a_spare_block_is_refused(decoder):
    with pytest.raises(ValueError, match="make it with spare=1"):
        Graphs(decoder, KVPool(decoder.config, 8), 4, 8, Again())


def test_sizes_are_powers_of_two_up_to_the_first_that_holds_all():
    assert [sizes(n) for n in (1, 2, 3, 8, 9)] == [
        (1,), (1, 2), (1, 2, 4), (1, 2, 4, 8), (1, 2, 4, 8, 16),
    ]  # fmt: skip


def test_attention_that_reads_lengths_on_the_host_has_no_graph(decoder):
    why = eager(decoder, KVPool(decoder.config, 8))
    assert why == "decode='numba' reads lengths on the host"
