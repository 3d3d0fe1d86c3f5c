"""Speculative decoding: Leviathan's speed-up where bandwidth binds, a loss where compute does."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constraintlab.limits.catalogue import speculative
from constraintlab.limits.diagnose import diagnose
from constraintlab.limits.resource import Resource as R
from constraintlab.limits.sizes import size
from constraintlab.limits.speculation import Speculation, expected_tokens
from constraintlab.limits.stack import HostStage, Stack
from constraintlab.limits.whatif import whatif
from constraintlab.limits.work import Kernel, Work

from .cases import GIGA, MEGA, machine


def decode(n, cache=0.0, host=()):
    """Weights of 8 ms a step; a sequence's row is 0.1 ms of arithmetic: 80 rows are as long."""
    products = Kernel("layers", Work(flops=0.1 * GIGA), Work(bytes=8 * MEGA))
    attention = Kernel("attention", Work(flops=1.0, bytes=cache * MEGA))
    return Stack((products, attention), host, population=n)


def gain(stack, k=4, a=0.8, c=0.0):
    fix = speculative(k, size(a), size(c))
    return whatif(diagnose(stack, machine()), fix).gain.value


def test_tokens_of_a_step():
    assert expected_tokens(0.8, 4) == pytest.approx(1 + 0.8 + 0.64 + 0.512 + 0.4096)
    assert expected_tokens(0.0, 4) == 1 and expected_tokens(1.0, 4) == 5


@pytest.mark.parametrize(("k", "a", "c"), [(4, 0.8, 0.0), (4, 0.8, 0.05), (7, 0.6, 0.1)])
def test_one_sequence_on_a_memory_bound_machine_gains_what_leviathan_s_theorem_says(k, a, c):
    # theorem 3.8: (1 − a^(k+1)) / ((1 − a)(c·k + 1))
    assert gain(decode(1), k, a, c) == pytest.approx((1 - a ** (k + 1)) / ((1 - a) * (c * k + 1)))


def test_it_helps_where_bandwidth_binds_and_hurts_a_large_batch():
    small, large = decode(8), decode(400)
    assert diagnose(small, machine()).constraint == (R.BANDWIDTH,)
    assert diagnose(large, machine()).constraint == (R.COMPUTE,)
    assert gain(small) == pytest.approx(expected_tokens(0.8, 4), rel=0.01)
    # 40 ms for 400 tokens → 200 ms for 400 × 3.36
    assert gain(large) == pytest.approx(expected_tokens(0.8, 4) / 5, rel=0.01) and gain(large) < 1


def test_in_between_the_rows_of_the_drafts_are_what_makes_arithmetic_bind():
    # 40 rows are 4 ms under 8 of weights; 200 rows are 20 ms
    out = whatif(diagnose(decode(40), machine()), speculative(4, size(0.8), size(0.0)))
    assert out.gain.value == pytest.approx(8 * expected_tokens(0.8, 4) / 20, rel=0.01)
    assert out.constraint == (R.COMPUTE,)


def test_a_cache_is_read_once_for_all_rows_of_a_sequence():
    # 8 ms of weights and 32 × 1 ms of cache, whatever is drafted
    assert gain(decode(8, cache=4.0)) == pytest.approx(expected_tokens(0.8, 4), rel=0.01)


def test_the_host_pays_for_tokens_rows_and_steps():
    # no weights to speak of: dispatch 1 ms a step; emit 1 ms a token; draw 1 ms a row
    tokens = expected_tokens(0.8, 4)
    for name, times in (("dispatch", 1.0), ("emit", tokens), ("draw", 5.0)):
        stack = Stack((Kernel("k", Work(1.0)),), (HostStage(name, each=1e-3),))
        assert gain(stack) == pytest.approx(tokens / times, rel=1e-6), name


def test_prompts_come_with_requests_so_fewer_steps_have_more_of_them():
    usual = Kernel("layers", fixed=Work(bytes=MEGA))
    prompts = Kernel("p", fixed=Work(flops=10 * GIGA), often=0.01, onto="layers")
    # 0.99 × 1 ms + 0.01 × 10 ms for 1 token → 1 + E·0.01·9 for E tokens
    tokens = expected_tokens(0.8, 4)
    expected = tokens * 1.09 / (1 + tokens * 0.09)
    assert gain(Stack((usual, prompts))) == pytest.approx(expected)


def test_how_sure_it_is_follows_the_acceptance():
    out = whatif(diagnose(decode(1), machine()), speculative())
    assert expected_tokens(0.5, 4) / 1.2 < out.gain.low < out.gain.value < out.gain.high
    assert out.gain.high < expected_tokens(0.9, 4)


def test_impossible_drafts_are_refused():
    with pytest.raises(ValueError, match="acceptance from 0 to 1"):
        Speculation(4, size(1.2), size(0.0))
    with pytest.raises(ValueError, match="at least one token"):
        Speculation(0, size(0.5), size(0.0))
    with pytest.raises(ValueError, match="0 or more"):
        Speculation(4, size(0.5), size(-0.1))


@given(st.floats(0, 1), st.integers(1, 16))
def test_a_step_yields_from_one_to_all_of_its_tokens(a, k):
    assert 1 <= expected_tokens(a, k) <= (k + 1) * (1 + 1e-9)


@settings(deadline=None)
@given(st.integers(1, 2000), st.floats(0.0, 0.99), st.floats(0, 0.5), st.integers(1, 8))
def test_it_gains_no_more_than_the_tokens_and_loses_no_more_than_the_rows(n, a, c, k):
    tokens = expected_tokens(a, k)
    low, high = tokens / (k + 1 + c * k), tokens
    assert low * (1 - 1e-6) <= gain(decode(n), k, a, c) <= high * (1 + 1e-6)
