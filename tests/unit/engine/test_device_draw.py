"""All rows at once, or row by row: the same tokens."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from constraintlab.engine.model.device_draw import draw
from constraintlab.engine.request import Request, Sampling
from constraintlab.engine.sample import Sampler

HOW = st.builds(
    Sampling,
    max_tokens=st.just(1),
    temperature=st.sampled_from([0.0, 0.2, 1.0, 3.0]),
    top_p=st.sampled_from([1.0, 0.95, 0.3, 1e-9]),
    seed=st.integers(0, 9),
)


def both(logits, asked, sampler=None):
    sampler = sampler or Sampler(0)
    ours = draw(logits, asked, sampler.uniform, torch.from_numpy)
    assert ours.dtype == torch.int64
    return ours.tolist(), sampler.draw(logits, asked)


@settings(max_examples=60)
@given(how=st.lists(HOW, min_size=1, max_size=6), vocab=st.sampled_from([3, 96, 700]))
def test_the_tokens_are_the_samplers(how, vocab):
    logits = 4 * torch.randn(len(how), vocab, generator=torch.Generator().manual_seed(vocab))
    ours, theirs = both(logits, [Request(i, [1], s) for i, s in enumerate(how)])
    assert ours == theirs


def test_a_number_next_to_one_draws_no_token_of_no_weight():
    logits = torch.tensor([[5.0, 4.0, -float("inf"), -float("inf")]])
    asked = [Request(0, [1], Sampling(1, temperature=1.0))]
    assert draw(logits, asked, lambda _: 1 - 2**-53, torch.from_numpy).tolist() == [1]


@pytest.mark.parametrize("top_p", [1.0, 0.9])
def test_seeds_give_different_tokens(top_p):
    logits = torch.randn(200, generator=torch.Generator().manual_seed(0)).expand(50, 200)
    asked = [Request(i, [1], Sampling(1, 1.0, top_p, seed=i)) for i in range(50)]
    ours, theirs = both(logits, asked)
    assert ours == theirs and len(set(ours)) > 30


def test_greedy_rows_send_nothing():
    def send(_):
        raise AssertionError("nothing to send")

    asked = [Request(i, [1], Sampling(1)) for i in range(3)]
    assert draw(torch.eye(3), asked, lambda _: 0.5, send).tolist() == [0, 1, 2]
