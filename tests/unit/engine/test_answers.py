"""The shipped reasoner: whatever the engine does to a request, its answer is right and the same."""

import pytest

from constraintlab.engine.kv.contiguous import ContiguousKV
from constraintlab.engine.kv.paged import PagedKV
from constraintlab.engine.kv.prefix import PrefixKV
from constraintlab.engine.loop import Engine
from constraintlab.engine.model.decoder import Decoder
from constraintlab.engine.model.pool import KVPool
from constraintlab.engine.model.runner import Runner
from constraintlab.engine.plan import Budget
from constraintlab.engine.policies.chunked import Chunked
from constraintlab.engine.policies.continuous import Continuous
from constraintlab.engine.policies.static import Static
from constraintlab.engine.reasoner import collatz, data, weights
from constraintlab.engine.request import Request, Sampling
from constraintlab.engine.setup import REASONER, load
from constraintlab.engine.voice import Voice


@pytest.fixture(scope="module")
def decoder():
    config, found, _ = load(REASONER)
    return Decoder(config, found)


def engine(decoder, policy, kv, budget):
    runner = Runner(decoder, KVPool(decoder.config, kv.units, kv.block_size))
    voice = lambda request: Voice(request, weights.Characters())  # noqa: E731
    return Engine(runner, policy, kv, budget, voice=voice)


def ask(n, most=4000):
    """A request for the chain of n; its last token ends it."""
    tokens = collatz.tokens(collatz.prompt(n))
    return Request(n, tokens, Sampling(most, stop_tokens=(collatz.END,)))


def held_out(count, least, most):
    """Starts kept from training whose answers have `least` … `most` tokens."""
    lengths = collatz.starts()
    return [n for n in data.split()[1] if least <= lengths[n] <= most][:count]


def run(engine, requests, check=True):
    """(steps, preemptions); every answer must be right, and no block leaked."""
    texts = {r.id: [] for r in requests}
    for request in requests:
        assert not engine.submit(request)
    steps = preempted = 0
    while engine.busy:
        step = engine.step()
        engine.kv.assert_consistent()
        steps, preempted = steps + 1, preempted + step.preempted
        for e in step.emitted:
            texts[e.request.id].append(e.text)
    for n in texts:
        # The stop token ends the answer and is no part of its text.
        checked = collatz.verify(collatz.prompt(n), "".join(texts[n]) + ";")
        assert checked, f"{n}: {checked.why}"
    assert engine.kv.free == engine.kv.units
    return steps, preempted


@pytest.fixture(scope="module")
def plain(decoder):
    """What each start gets when it runs alone."""
    found = {}
    for n in held_out(10, 30, 250):
        request = ask(n)
        run(engine(decoder, Continuous(), PagedKV(256), Budget(1, 16)), [request])
        found[n] = request.output
    return found


@pytest.mark.parametrize(
    ("policy", "kv", "budget"),
    [
        (Static(), ContiguousKV(256, 16, max_length=512), (8, 64)),
        (Continuous(), PagedKV(160), (10, 128)),
        (Chunked(), PagedKV(160, 8), (10, 12)),
        (Chunked(), PagedKV(20), (10, 64)),
        (Chunked(), PrefixKV(40, 8), (10, 64)),
    ],
    ids=["batched", "continuous", "chunked", "preempted", "prefix"],
)
def test_every_way_of_running_gives_the_plain_runs_tokens(decoder, plain, policy, kv, budget):
    most = {n: len(tokens) for n, tokens in plain.items()}
    requests = [ask(n, most[n] if isinstance(kv, ContiguousKV) else 280) for n in plain]
    _, preempted = run(engine(decoder, policy, kv, Budget(*budget)), requests)
    assert {r.id: r.output for r in requests} == plain
    if kv.units <= 40:
        assert preempted > 0


def test_a_prefix_hit_after_a_preemption_changes_nothing(decoder):
    n = held_out(1, 200, 400)[0]
    kv = PrefixKV(64, 8)
    run_ = engine(decoder, Chunked(), kv, Budget(2, 32))
    run(run_, [ask(n, 500)])
    assert not kv.hit
    run(run_, [ask(n, 500)])
    assert kv.hit


@pytest.mark.long
def test_1000_steps_on_a_pool_of_5_percent_of_the_demand_leave_every_answer_right(decoder):
    starts = held_out(30, 300, 900)
    demand = sum(10 + collatz.starts()[n] for n in starts)
    kv = PagedKV(demand // 20 // 16 + 1)
    most = kv.units * 16 - 10
    starts = [n for n in starts if collatz.starts()[n] < most]
    assert len(starts) >= 20
    steps, preempted = run(
        engine(decoder, Chunked(), kv, Budget(8, 64)), [ask(n, most) for n in starts]
    )
    assert steps >= 1000 and preempted > 0


@pytest.mark.long
def test_held_out_answers_of_up_to_2000_tokens_are_right(decoder):
    starts = [n for n in data.split()[1] if collatz.starts()[n] <= 2000]
    some = sorted(starts, key=collatz.starts().get)[:: len(starts) // 8]
    run(engine(decoder, Chunked(), PagedKV(1024), Budget(9, 256)), [ask(n) for n in some])
