"""The engine on a GPU: the CPU's answers, eagerly and by CUDA graphs, and one wait a step."""

import time

import pytest
import torch

if not torch.cuda.is_available():
    pytest.skip("no NVIDIA GPU here", allow_module_level=True)

from constraintlab.engine import tiers
from constraintlab.engine.meter import Meter
from constraintlab.engine.model import glue, glue_triton
from constraintlab.engine.reasoner import collatz
from constraintlab.engine.request import Request, Sampling
from constraintlab.engine.setup import REASONER, Setup, build, load_for

from ..unit.engine.test_answers import ask, held_out
from ..unit.engine.test_glue import EPS, draw, hold, rms

SETUP = Setup(REASONER, blocks=512, slots=6, tokens=64)
DTYPES = ("float32", "bfloat16")
STARTS, MOST = held_out(6, 20, 400), 450


def setup(dtype="bfloat16", device="cuda", **changes):
    return Setup(**{**vars(SETUP), "dtype": dtype, "device": device, **changes})


@pytest.fixture(scope="module")
def loaded():
    kept = {}

    def load(setup):
        key = setup.model, setup.dtype, setup.device
        if key not in kept:
            kept[key] = load_for(setup)
        return kept[key]

    return load


def answers(setup, loaded, asked=None):
    """(tokens of each request, the engine, its steps)."""
    engine = build(setup, loaded(setup))
    asked = asked or [ask(n, MOST) for n in STARTS]
    for request in asked:
        assert not engine.submit(request)
    steps = []
    while engine.busy:
        steps.append(engine.step())
        engine.kv.assert_consistent()
    return [list(r.output) for r in asked], engine, steps


@pytest.fixture(scope="module")
def on_cpu(loaded):
    kept = {}

    def found(dtype):
        if dtype not in kept:
            kept[dtype] = answers(setup(dtype, "cpu"), loaded)[0]
        return kept[dtype]

    return found


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("graphs", [False, True], ids=["eager", "graphs"])
@pytest.mark.parametrize("kv", ["paged", "prefix", "contiguous"])
def test_greedy_answers_are_the_cpus_and_right(loaded, on_cpu, dtype, graphs, kv):
    found, engine, steps = answers(setup(dtype, graphs=graphs, kv=kv, reserve="oracle"), loaded)
    assert found == on_cpu(dtype)
    for n, tokens in zip(STARTS, found, strict=True):
        text = "".join(collatz.ALPHABET[t] for t in tokens)
        assert collatz.verify(collatz.prompt(n), text).right
    passes = engine.model.passes
    assert sum(passes.values()) == len(steps)
    if graphs:
        assert passes["graph"] == sum(not s.chunks for s in steps) > 50, passes
    else:
        assert set(passes) == {"eager: graphs=False"}


def test_where_the_pool_is_tight_answers_stay_the_same(loaded, on_cpu):
    found, _, steps = answers(setup("float32", blocks=32), loaded)
    assert found == on_cpu("float32") and sum(s.preempted for s in steps)


@pytest.mark.parametrize("graphs", [False, True], ids=["eager", "graphs"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_step_waits_for_the_device_only_where_it_reads_its_tokens(loaded, graphs, temperature):
    """torch raises for every wait of its own; the one in `Staging.up` is for an event."""
    how = setup(graphs=graphs)
    answers(how, loaded)  # compiled by now
    engine = build(how, loaded(how))
    for i, n in enumerate(STARTS):
        prompt = collatz.tokens(collatz.prompt(n))
        engine.submit(Request(i, prompt, Sampling(40, temperature, 0.9, seed=i)))
    engine.step()
    torch.cuda.set_sync_debug_mode("error")
    try:
        while engine.busy:
            engine.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_the_wait_and_the_devices_time_are_measured_and_are_no_host_work(loaded):
    how = setup(graphs=False)
    answers(how, loaded)
    engine = build(how, loaded(how))
    meter = Meter(engine)
    for n in STARTS:
        request = ask(n, MOST)
        request.arrival = time.monotonic()
        engine.submit(request)
        meter.submitted(request)
    began = last = time.monotonic()
    while engine.busy:
        step = engine.step()
        now = time.monotonic()
        meter.stepped(step, now - last, now)
        last = now
        assert step.spent.device > 0 and 0 <= step.spent.wait <= step.seconds.forward
    wall, t = last - began, meter.totals
    assert 0 < t["device"] < wall and 0 <= t["wait"] < wall
    inside = sum(t[name] for name in ("schedule", "forward", "draw", "emit"))
    assert inside < wall


def test_padded_rows_write_to_no_slot_that_a_table_can_list(loaded):
    how = setup("float32")
    engine = build(how, loaded(how))
    pool = engine.model.pool
    for layer in (*pool.k, *pool.v):
        layer.fill_(float("nan"))
    for i in range(3):
        engine.submit(Request(i, [i + 1], Sampling(3)))
    used = set()
    while engine.busy:
        engine.step()
        used |= set(engine.model.last.slots.tolist())
    assert engine.model.passes["graph"] == 3
    for layer in (*pool.k, *pool.v):
        flat = layer.flatten(0, 1)[: pool.tokens]
        written = (~flat.isnan()).flatten(1).any(1).nonzero().flatten().tolist()
        assert set(written) == used


def test_what_draws_by_temperature_from_the_likeliest_alone_is_greedy(loaded, on_cpu):
    asked = [ask(n, MOST) for n in STARTS]
    for request in asked:
        s = request.sampling
        request.sampling = Sampling(s.max_tokens, 0.5, 1e-9, 1, stop_tokens=s.stop_tokens)
    assert answers(setup("float32"), loaded, asked)[0] == on_cpu("float32")


def test_a_request_goes_on_from_keys_and_values_that_another_engine_computed(loaded, on_cpu):
    how = setup("float32")
    (first, _), (second, identity) = (
        make(how, loaded(how)) for make in (tiers.prefill, tiers.decode)
    )
    for n, want in zip(STARTS, on_cpu("float32"), strict=True):
        request = ask(n, MOST)
        asked = tiers.Asked(request.prompt, request.sampling)
        prompted = asked.prompted()
        first.submit(prompted)
        while first.busy:
            first.step()
        filled = tiers.Prefilled(prompted.output[-1], first.kv.parcel(prompted))
        continued = asked.continued()
        tiers.adopt(second, identity, continued, filled)
        while second.busy:
            second.step()
        assert list(continued.output) == want


def test_an_engine_whose_attention_has_no_graph_says_so(loaded):
    how = setup("float32", attention={"decode": "gather"})
    _, engine, steps = answers(how, loaded, [ask(STARTS[0], MOST)])
    assert engine.model.passes == {"eager: decode='gather' reads lengths on the host": len(steps)}


HALF = (torch.float16, torch.bfloat16)


@pytest.mark.parametrize("dtype", [torch.float32, *HALF], ids=str)
@pytest.mark.parametrize("rows", [1, 33])
def test_norms_agree_with_fp64(dtype, rows):
    x, y = (draw(rows, 1024, dtype=dtype, seed=s) for s in (0, 2))
    weight = draw(1024, seed=1)
    there = [t.cuda() for t in (x, y, weight)]
    ours = glue_triton.norm(there[0], there[2], EPS)
    hold(ours.cpu(), glue.norm(x, weight, EPS), rms(x.double(), weight.double()))
    total = x.double() + y.double()
    ours = glue_triton.add_norm(*there[:2], None, there[2], EPS)
    theirs = glue.add_norm(x, y, None, weight, EPS)
    for one, other, exact in zip(ours, theirs, (total, rms(total, weight.double())), strict=True):
        hold(one.cpu(), other, exact)


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("activation", ["silu", "gelu_tanh"])
def test_the_gate_agrees_with_fp64(dtype, activation):
    """Not fp32: the GPU's fast exponential is a bit off, which halves are too coarse to show."""
    both = draw(33, 2 * 1536, dtype=dtype, seed=3)
    x, up = both.double().chunk(2, -1)
    risen = torch.nn.functional.silu(x)
    if activation == "gelu_tanh":
        risen = torch.nn.functional.gelu(x, approximate="tanh")
    ours = glue_triton.gate(both.cuda(), activation)
    hold(ours.cpu(), glue.gate(both, activation), risen * up)
