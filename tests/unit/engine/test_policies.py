"""What each policy plans, by hand."""

import pytest

from constraintlab.engine.kv.contiguous import ContiguousKV
from constraintlab.engine.kv.paged import PagedKV
from constraintlab.engine.kv.prefix import PrefixKV
from constraintlab.engine.plan import Budget
from constraintlab.engine.policies.chunked import Chunked
from constraintlab.engine.policies.continuous import Continuous
from constraintlab.engine.policies.static import Static
from constraintlab.engine.request import Request, Sampling

from .mock import POLICIES, STORES, Engine, workload


def requests(*sizes):
    """Requests 0, 1, … of (prompt, max_tokens) sizes, their texts all different."""
    return [
        Request(i, [100 * i + j for j in range(p)], Sampling(m)) for i, (p, m) in enumerate(sizes)
    ]


def engine_with(policy, kv, budget, *sizes):
    engine = Engine(policy, kv, budget)
    engine.submit(*requests(*sizes))
    return engine


def chunks(engine, steps):
    """Who computed how much, as (id, tokens), in each of so many steps."""
    return [found for found, _ in outcomes(engine, steps)]


def outcomes(engine, steps):
    """Chunks, and the ids of the preempted."""
    for _ in range(steps):
        engine.step()
    return [found[:2] for found in engine.trace[-steps:]]


def test_chunked_prefill_fills_its_budget_64_with_60_and_4_then_56_and_a_decode():
    engine = engine_with(Chunked(), PagedKV(100), Budget(8, 64), (60, 4), (60, 4))
    assert chunks(engine, 3) == [[(0, 60), (1, 4)], [(0, 1), (1, 56)], [(0, 1), (1, 1)]]


def test_a_prompt_longer_than_the_budget_takes_several_chunks():
    engine = engine_with(Chunked(), PagedKV(100), Budget(2, 8), (20, 2), (3, 2), (5, 2))
    assert chunks(engine, 4) == [[(0, 8)], [(0, 8)], [(0, 4), (1, 3)], [(0, 1), (1, 1)]]
    assert chunks(engine, 1) == [[(2, 5)]]


def test_decodes_have_their_token_before_prompts_get_the_rest():
    engine = engine_with(Chunked(), PagedKV(100), Budget(4, 4), (1, 9), (1, 9), (1, 9), (9, 1))
    assert chunks(engine, 3) == [
        [(0, 1), (1, 1), (2, 1), (3, 1)],
        [(0, 1), (1, 1), (2, 1), (3, 1)],
        [(0, 1), (1, 1), (2, 1), (3, 1)],
    ]
    assert engine.plan().horizon == 1, "a chunk of one token is no decode"


def test_a_chunked_prompt_is_admitted_once_the_pool_has_room_for_the_whole_of_it():
    engine = engine_with(Chunked(), PagedKV(6, 4), Budget(2, 8), (14, 3), (12, 2))
    assert chunks(engine, 4) == [[(0, 8)], [(0, 6)], [(0, 1)], [(0, 1)]]
    assert chunks(engine, 2) == [[(1, 8)], [(1, 4)]]


def test_static_batching_waits_for_its_longest():
    engine = engine_with(Static(), PagedKV(100), Budget(2, 64), (5, 1), (5, 3), (5, 2))
    assert chunks(engine, 4) == [[(0, 5), (1, 5)], [(1, 1)], [(1, 1)], [(2, 5)]]


def test_continuous_batching_fills_a_free_slot_at_the_next_step():
    engine = engine_with(Continuous(), PagedKV(100), Budget(2, 64), (5, 1), (5, 3), (5, 2))
    assert chunks(engine, 3) == [[(0, 5), (1, 5)], [(1, 1), (2, 5)], [(1, 1), (2, 1)]]


@pytest.mark.parametrize("policy", [Static(), Continuous()])
def test_whole_prompts_are_admitted_up_to_the_budget_but_always_one(policy):
    engine = engine_with(policy, PagedKV(100), Budget(4, 16), (20, 1), (10, 1), (6, 1), (1, 1))
    assert chunks(engine, 3) == [[(0, 20)], [(1, 10), (2, 6)], [(3, 1)]]


def test_a_long_prompt_joins_a_continuous_batch_that_runs():
    engine = engine_with(Continuous(), PagedKV(100), Budget(4, 16), (4, 9), (20, 1))
    assert chunks(engine, 2) == [[(0, 4)], [(0, 1), (1, 20)]]


def test_nobody_overtakes_the_head_of_the_queue():
    engine = engine_with(Continuous(), PagedKV(4, 4), Budget(4, 64), (8, 2), (10, 2), (1, 1))
    assert chunks(engine, 3) == [[(0, 8)], [(0, 1)], [(1, 10), (2, 1)]]


@pytest.mark.parametrize("name", ["static", "continuous", "chunked"])
def test_a_decode_that_cannot_grow_preempts_the_newest_which_comes_back_in_front(name):
    engine = engine_with(
        POLICIES[name], PagedKV(4, 4), Budget(4, 64), (4, 6), (4, 6), (4, 6), (4, 6)
    )
    assert outcomes(engine, 2) == [
        ([(0, 4), (1, 4), (2, 4), (3, 4)], []),
        ([(0, 1), (1, 1)], [3, 2]),
    ]
    assert [r.id for r in engine.waiting] == [2, 3]
    assert [r.todo for r in engine.waiting] == [5, 5], "prompt and output are to be recomputed"


def test_the_newest_preempts_itself_when_nobody_is_newer():
    engine = engine_with(Continuous(), PagedKV(3, 4), Budget(4, 64), (3, 6), (4, 3))
    assert outcomes(engine, 3) == [
        ([(0, 3), (1, 4)], []),
        ([(0, 1), (1, 1)], []),
        ([(0, 1)], [1]),
    ]


def test_none_is_admitted_while_one_is_preempted():
    engine = engine_with(Continuous(), PagedKV(4, 4), Budget(4, 64), (4, 9), (11, 3), (1, 1))
    assert outcomes(engine, 2) == [([(0, 4), (1, 11)], []), ([(0, 1)], [1])]
    assert engine.kv.free == 2 and [r.id for r in engine.waiting] == [1, 2]


@pytest.mark.parametrize("policy", [Continuous(watermark=0.5), Chunked(watermark=0.5)])
@pytest.mark.parametrize("store", ["paged", "prefix", "oracle"])
def test_an_admission_leaves_the_watermark_free_except_in_an_empty_engine(policy, store):
    engine = engine_with(
        policy, STORES[store](8, 4), Budget(4, 64), (20, 2), (1, 1), (4, 2), (4, 1)
    )
    assert chunks(engine, 3) == [[(0, 20)], [(0, 1)], [(1, 1), (2, 4), (3, 4)]]


def test_a_cached_prefix_is_neither_computed_nor_counted_against_the_budget():
    for policy in (Static(), Continuous(), Chunked()):
        kv = PrefixKV(40, 4)
        engine = engine_with(policy, kv, Budget(4, 16), (16, 1))
        engine.step()
        twins = [Request(i, range(16), Sampling(1)) for i in (1, 2, 3, 4)]
        engine.submit(*twins)
        assert chunks(engine, 1) == [[(1, 4), (2, 4), (3, 4), (4, 4)]]


def test_a_batch_that_shares_an_idle_prefix_takes_it_from_the_pool_once():
    engine = engine_with(Continuous(), PrefixKV(6, 4), Budget(4, 64), (16, 1))
    engine.step()
    engine.submit(*(Request(i, range(13), Sampling(1)) for i in (1, 2, 3, 4)))
    assert chunks(engine, 1) == [[(1, 1), (2, 1), (3, 1)]]


def test_free_blocks_that_lie_apart_admit_only_what_one_run_holds():
    kv = ContiguousKV(6, 4, max_length=24, reserve="oracle")
    engine = engine_with(Continuous(), kv, Budget(6, 64), (5, 1), (4, 9), (3, 1), (9, 1))
    assert chunks(engine, 1) == [[(0, 5), (1, 4), (2, 3)]]
    assert (kv.free, kv.largest_run, kv.need(engine.waiting[0], 9)) == (3, 2, 3)
    assert chunks(engine, 9) == [[(1, 1)]] * 8 + [[(3, 9)]]


@pytest.mark.parametrize("watermark", [-0.1, 1, 1.5, float("nan")])
@pytest.mark.parametrize("policy", [Continuous, Chunked])
def test_a_watermark_outside_its_range_is_told(policy, watermark):
    with pytest.raises(ValueError, match="from 0 to less than 1"):
        policy(watermark=watermark)


@pytest.mark.parametrize(
    ("slots", "tokens", "fix"), [(0, 1, "1 or more"), (4, 3, "as many tokens")]
)
def test_a_budget_that_cannot_work_is_told(slots, tokens, fix):
    with pytest.raises(ValueError, match=fix):
        Budget(slots, tokens)


@pytest.mark.parametrize("name", POLICIES)
def test_a_plan_changes_nothing(name):
    engine = Engine(POLICIES[name], PrefixKV(6, 2), Budget(3, 8))
    engine.submit(*workload(3, 8, prompt=2, output=6))
    while engine.busy:
        states = []
        for _ in range(2):
            plan = engine.plan()
            states.append(
                (
                    [(r.id, r.computed, r.phase, list(r.output)) for r in engine.running],
                    [(r.id, r.computed, r.phase, list(r.output)) for r in engine.waiting],
                    {r.id: list(engine.kv.block_table(r)) for r in engine.running},
                    engine.kv.free,
                    engine.kv.stats(),
                    plan,
                )
            )
        assert states[0] == states[1]
        engine.step(plan)
