"""The scheduler's own work, counted in calls: it grows with the sequences and nothing else."""

import sys
from contextlib import contextmanager

import pytest

from constraintlab.engine.kv.prefix import PrefixKV
from constraintlab.engine.plan import Budget
from constraintlab.engine.request import Request, Sampling

from .mock import POLICIES, STORES, Engine


@contextmanager
def counted(calls):
    """Adds a line to `calls` for each function called, Python's own included."""
    sys.setprofile(lambda frame, event, arg: calls.append(event) if "call" in event else None)
    try:
        yield
    finally:
        sys.setprofile(None)


def calls_of_a_decode_step(policy, store, n, length, waiting=0):
    """Calls that plan and growth make for a step of n requests that decode."""
    kv = STORES[store](n * (length // 16 + 2), 16, longest=length + 20)
    engine = Engine(POLICIES[policy], kv, Budget(n, n * length))
    texts = ([i % 7] * length for i in range(n + waiting))
    engine.submit(*(Request(i, text, Sampling(20)) for i, text in enumerate(texts)))
    engine.step()
    engine.step()
    calls = []
    with counted(calls):
        plan = engine.plan()
        for request, tokens in plan.chunks:
            kv.grow(request, tokens)
    assert [m for _, m in plan.chunks] == [1] * n
    return len(calls)


@pytest.mark.parametrize("policy", ["static", "continuous", "chunked"])
@pytest.mark.parametrize("store", ["paged", "prefix", "oracle"])
def test_a_decode_step_costs_the_same_for_each_sequence_however_many_or_long(policy, store):
    few = calls_of_a_decode_step(policy, store, 10, 40)
    many = calls_of_a_decode_step(policy, store, 100, 40)
    assert many <= 10 * few and few <= 30 * 10
    assert calls_of_a_decode_step(policy, store, 10, 4000) <= few
    assert calls_of_a_decode_step(policy, store, 10, 40, waiting=500) <= few + 5


def test_a_long_prompt_that_waits_is_hashed_once():
    kv = PrefixKV(40, 16)
    engine = Engine(POLICIES["continuous"], kv, Budget(2, 1000))
    engine.submit(Request(0, [1] * 600, Sampling(20)))
    engine.step()
    engine.submit(Request(1, [2] * 600, Sampling(20)))
    counts = []
    for _ in range(2):
        calls = []
        with counted(calls):
            engine.plan()
        counts.append(len(calls))
    assert counts[1] < counts[0] / 3
