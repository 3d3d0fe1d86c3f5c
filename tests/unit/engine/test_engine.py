"""The engine over a real decoder: whatever shares a step, each request gets its own answer."""

from random import Random

import pytest

from constraintlab.engine.kv.contiguous import ContiguousKV
from constraintlab.engine.kv.paged import PagedKV
from constraintlab.engine.kv.prefix import PrefixKV
from constraintlab.engine.loop import Engine
from constraintlab.engine.model.decoder import Decoder
from constraintlab.engine.model.pool import KVPool
from constraintlab.engine.model.presets import preset
from constraintlab.engine.model.runner import Runner
from constraintlab.engine.plan import Budget
from constraintlab.engine.policies.chunked import Chunked
from constraintlab.engine.policies.continuous import Continuous
from constraintlab.engine.policies.static import Static
from constraintlab.engine.request import Request, Sampling

LONGEST = 128
RUNS = {
    "static, contiguous": (Static(), lambda: ContiguousKV(32, 16, max_length=LONGEST)),
    "continuous, paged, tight": (Continuous(), lambda: PagedKV(14)),
    "chunked, paged, tight": (Chunked(), lambda: PagedKV(14)),
    "chunked, prefix, tight": (Chunked(), lambda: PrefixKV(28, 8)),
    "chunked, oracle": (Chunked(), lambda: ContiguousKV(32, 16, max_length=128, reserve="oracle")),
}


@pytest.fixture(scope="module")
def decoder():
    return Decoder(*preset("nano"))


BUDGET = Budget(6, 40)


def engine(decoder, policy, kv, budget=BUDGET):
    pool = KVPool(decoder.config, kv.units, kv.block_size)
    pool.k[0].fill_(float("nan")), pool.v[0].fill_(float("nan"))
    return Engine(Runner(decoder, pool), policy, kv, budget)


def requests(n=10, **sampling):
    r = Random(1)
    head = [r.randrange(500) for _ in range(40)]
    return [
        Request(
            i,
            head[: r.choice((0, 16, 33, 40))] + [r.randrange(500) for _ in range(r.randint(1, 40))],
            Sampling(r.randint(1, 40), **sampling),
        )
        for i in range(n)
    ]


def finish(engine, asked):
    """Run all to the end; (steps, preemptions)."""
    for request in asked:
        assert not engine.submit(request)
    steps = preempted = 0
    while engine.busy:
        preempted += engine.step().preempted
        engine.kv.assert_consistent()
        steps += 1
    assert engine.kv.free == engine.kv.units
    return steps, preempted


@pytest.fixture(scope="module")
def alone(decoder):
    found = {}
    for request in requests():
        finish(engine(decoder, Continuous(), PagedKV(8), Budget(1, LONGEST)), [request])
        found[request.id] = request.output
    return found


@pytest.mark.parametrize("name", RUNS)
def test_every_answer_is_the_one_a_request_gets_alone(decoder, alone, name):
    policy, store = RUNS[name]
    asked, run = requests(), engine(decoder, policy, store())
    _, preempted = finish(run, asked)
    assert {r.id: r.output for r in asked} == alone
    assert ("tight" in name) == (preempted > 0 or getattr(run.kv, "hit", 0) > 0)


def test_seeded_draws_do_not_depend_on_who_shares_the_step(decoder):
    asked = requests(temperature=1.5, top_p=0.9, seed=3)
    finish(engine(decoder, Chunked(), PagedKV(14)), asked)
    again = requests(temperature=1.5, top_p=0.9, seed=3)
    for request in again:
        finish(engine(decoder, Continuous(), PagedKV(8), Budget(1, LONGEST)), [request])
    assert [r.output for r in asked] == [r.output for r in again]
    greedy = requests()
    finish(engine(decoder, Chunked(), PagedKV(64)), greedy)
    assert [r.output for r in greedy] != [r.output for r in asked]


def test_a_step_tells_what_it_did(decoder):
    run = engine(decoder, Chunked(), PagedKV(64), Budget(4, 64))
    for i in range(2):
        run.submit(Request(i, [7] * 60, Sampling(3)))
    first, second = run.step(), run.step()
    assert (first.prefill, first.decodes, first.tokens) == (64, 0, 1)
    assert (second.prefill, second.decodes, second.tokens) == (56, 1, 2)
    assert first.sequences == second.sequences == 2 and first.kv.used == 64
    assert min(first.seconds) >= 0 and first.seconds.forward > 0


def test_a_cancelled_request_gives_its_blocks_back_at_once(decoder):
    run = engine(decoder, Continuous(), PagedKV(8), Budget(6, 128))
    one, two = Request("a", [1] * 50, Sampling(40)), Request("b", [2] * 60, Sampling(40))
    run.submit(one), run.submit(two)
    run.step()
    free = run.kv.free
    run.cancel(one)
    assert run.kv.free > free and one.finish_reason == "cancelled" and run.running == [two]
    run.cancel(one)
    assert one.finish_reason == "cancelled"


def test_a_prompt_longer_than_the_pool_is_refused_by_name(decoder):
    run = engine(decoder, Continuous(), PagedKV(2))
    request = Request(0, [1] * 40, Sampling(1))
    assert "the pool has 32: shorten the prompt" in run.submit(request)
    assert request.finish_reason == "refused" and not run.busy
    with pytest.raises(ValueError, match="submit a request first"):
        run.step()


def test_a_request_longer_than_the_model_takes_is_refused(decoder):
    run = engine(decoder, Continuous(), PagedKV(8))
    run.longest = 50
    assert not run.submit(Request(0, [1] * 40, Sampling(10)))
    assert "more than the 50 that the model takes" in run.submit(Request(1, [1] * 40, Sampling(11)))


def test_stop_strings_without_a_tokenizer_are_refused(decoder):
    run = engine(decoder, Continuous(), PagedKV(2))
    assert "stop_tokens" in run.submit(Request(0, [1], Sampling(1, stop=("x",))))
