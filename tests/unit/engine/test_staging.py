"""A step's way to a device and back: one copy each, one wait, and the wait is told apart."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.engine.kv.paged import PagedKV
from constraintlab.engine.loop import Engine
from constraintlab.engine.meter import Meter
from constraintlab.engine.model.decoder import Decoder
from constraintlab.engine.model.presets import preset
from constraintlab.engine.model.staging import ALIGNED, Layout, Staging, fill, views
from constraintlab.engine.model.step import Chunk, Step
from constraintlab.engine.plan import Budget
from constraintlab.engine.policies.chunked import Chunked
from constraintlab.engine.request import Request, Sampling

from .standin import Standin, runner

TENSORS = ("tokens", "positions", "slots", "block_table", "seq_lens", "cu_seqlens_q", "wanted")


def step_of(sizes, block=4):
    chunks, start = [], 0
    for new, past in sizes:
        need = -(-(new + past) // block)
        chunks.append(Chunk(list(range(new)), past, tuple(range(start, start + need)), new != 2))
        start += need
    return Step.of(chunks, block)


def same(found, step):
    assert found.decodes == step.decodes
    for name in TENSORS:
        ours, theirs = getattr(found, name), getattr(step, name)
        assert ours.dtype == theirs.dtype, name
        ours = ours[:, : theirs.shape[1]] if name == "block_table" else ours
        assert torch.equal(ours, theirs), name


@given(sizes=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 90)), min_size=1, max_size=6))
def test_a_step_arrives_as_it_left_in_parts_that_begin_at_16_bytes(sizes):
    step = step_of(sorted(sizes, key=lambda s: s[0] != 1))
    machine = Standin()
    there = Staging(machine).down(step)
    same(there, step)
    assert there.block_table.shape[1] % 16 == 0
    assert (there.block_table[:, step.block_table.shape[1] :] == 0).all()
    start = there.tokens.data_ptr()
    parts = [getattr(there, name).data_ptr() - start for name in TENSORS]
    assert all(offset % (8 * ALIGNED) == 0 for offset in parts) and len(set(parts)) > 3
    assert machine.log == ["buffer"], "one buffer, one copy, no wait"


def test_a_step_of_decodes_may_be_padded_with_rows_that_read_nothing():
    step, layout = step_of([(1, 6), (1, 0), (1, 9)]), Layout(8, 8, 16, 8)
    buffer = torch.full((layout.words,), -7)
    fill(buffer, layout, step, spare=999)
    padded = views(buffer, layout, 8)
    assert padded.tokens.tolist() == step.tokens.tolist() + [0] * 5
    assert padded.slots.tolist() == step.slots.tolist() + [999] * 5
    assert padded.seq_lens.tolist() == [7, 1, 10, 0, 0, 0, 0, 0]
    assert padded.cu_seqlens_q.tolist() == list(range(9))
    assert padded.block_table[:3, :3].tolist() == step.block_table.tolist()
    assert padded.block_table[:3, 3:].sum() == padded.block_table[3:].sum() == 0
    assert padded.wanted.tolist() == [0, 1, 2, 0, 0, 0, 0, 0]


def test_a_prompt_is_never_padded():
    with pytest.raises(AssertionError):
        fill(torch.zeros(99, dtype=torch.int64), Layout(8, 8, 16, 8), step_of([(3, 0)]))


def test_tokens_come_back_by_one_wait_which_is_timed_by_itself():
    machine = Standin(late=0.25)
    staging = Staging(machine, machine.clock)
    staging.begin()
    machine.device_time = 0.75
    assert staging.up(torch.tensor([4, 5])) == [4, 5]
    assert machine.log == ["event", "buffer", "event", "wait"]
    assert staging.spent() == (0.75, 0.25)
    assert staging.spent() == (0.0, 0.0), "told once"


def test_what_a_step_that_draws_nothing_took_is_told_with_the_next_that_does():
    machine = Standin()
    staging = Staging(machine, machine.clock)
    staging.begin()
    machine.device_time = 0.5
    staging.end()
    assert staging.spent() == (0.0, 0.0) and "wait" not in machine.log
    machine.device_time = 2.0  # the device rested: that is not its time
    staging.begin()
    machine.device_time = 2.25
    staging.up(torch.tensor([1]))
    assert staging.spent() == (0.75, 0.0)


def test_an_array_is_sent_as_it_is():
    sent = Staging(Standin()).send(np.array([[1.5, 2.0], [3.0, 4.0]])[:, ::-1])
    assert sent.tolist() == [[2.0, 1.5], [4.0, 3.0]] and sent.dtype == torch.float64


@pytest.fixture(scope="module")
def decoder():
    return Decoder(*preset("nano"))


def test_a_wait_is_no_host_work_and_a_step_waits_once_where_it_draws(decoder):
    machine = Standin(late=10.0)
    model = runner(decoder, 16, 4, machine=machine)
    engine = Engine(
        model, Chunked(), PagedKV(16, 4), Budget(2, 4), clock=machine.clock, spent=model.spent
    )
    meter = Meter(engine, machine.clock)
    request = Request(0, [1] * 9, Sampling(3))
    assert not engine.submit(request)
    meter.submitted(request)
    waits = []
    while engine.busy:
        machine.log.clear()
        machine.device_time += 4.0
        step = engine.step()
        meter.stepped(step, 10.0)
        waits.append(machine.log.count("wait"))
        assert step.seconds.draw == 0.0, "the whole wait is the device's"
        assert step.seconds.forward == 10.0 * waits[-1] == step.spent.wait
    assert waits == [0, 0, 1, 1, 1], "two chunks of the prompt draw nothing"
    assert meter.totals["wait"] == meter.totals["forward"] == 30.0
    assert meter.totals["draw"] == 0.0
    assert meter.report().passes == {"eager: no graphs here": 5}


def test_on_a_cpu_the_device_is_the_forward_pass(decoder):
    from constraintlab.engine.model.pool import KVPool
    from constraintlab.engine.model.runner import Runner

    engine = Engine(Runner(decoder, KVPool(decoder.config, 8)), Chunked(), PagedKV(8), Budget(2, 8))
    meter, request = Meter(engine), Request(0, [1, 2], Sampling(2))
    engine.submit(request)
    meter.submitted(request)
    while engine.busy:
        step = engine.step()
        assert step.spent is None
        meter.stepped(step, sum(step.seconds))
    assert meter.totals["device"] == meter.totals["forward"] > 0 == meter.totals["wait"]
    assert meter.report().passes == {}
