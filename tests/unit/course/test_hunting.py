"""The bug hunt runs: the shipped rule stops the engine, the right one shares and answers right."""

import pytest
import torch

from constraintlab.course.exercises_engine import share
from constraintlab.course.hunting import trial


def shipped(tokens, size, cached):
    n = 0
    while (n + 1) * size <= len(tokens) and tokens[: (n + 1) * size] in cached:
        n += 1
    return n


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_the_shipped_rule_stops_an_engine_at_a_prompt_of_whole_blocks(blocks):
    assert "the second request stopped the engine" in trial(shipped, blocks)


def test_the_right_rule_leaves_one_block_to_compute():
    threads = torch.get_num_threads()
    assert trial(share, 3).endswith("right; 32 of its 48 prompt tokens came from the cache")
    assert torch.get_num_threads() == threads


def test_a_rule_that_never_shares_answers_right_from_nothing():
    assert "right; 0 of" in trial(lambda tokens, size, cached: 0)
