"""Drawing: greedy, temperature and top-p against the distribution, seeds, and text that stops."""

import numpy as np
import pytest
import torch

from constraintlab.engine.request import Request, Sampling
from constraintlab.engine.sample import FEW, Sampler
from constraintlab.engine.voice import Voice

LOGITS = torch.tensor([0.0, 1.0, 2.0, -1.0, 0.5])


def drawn(n=4000, logits=LOGITS, **sampling):
    """How often each token comes in n draws with seeds of their own."""
    asked = [Request(i, [1], Sampling(9, seed=i, **sampling)) for i in range(n)]
    tokens = Sampler().draw(logits.expand(n, -1), asked)
    return np.bincount(tokens, minlength=len(logits)) / n


def test_greedy_takes_the_likeliest():
    assert drawn(5)[2] == 1


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_follow_the_softmax(temperature):
    wanted = torch.softmax(LOGITS / temperature, -1).numpy()
    assert np.abs(drawn(temperature=temperature) - wanted).max() < 0.03


def test_top_p_keeps_the_smallest_set_and_its_proportions():
    p = torch.softmax(LOGITS, -1).numpy()
    kept = np.where(np.isin(np.arange(5), [2, 1]), p, 0)
    assert p[2] < 0.7 <= p[2] + p[1]
    assert np.abs(drawn(temperature=1.0, top_p=0.7) - kept / kept.sum()).max() < 0.03


def test_top_p_of_a_flat_distribution_looks_beyond_the_likeliest_few():
    seen = drawn(logits=torch.zeros(4 * FEW), temperature=1.0, top_p=0.9)
    assert 3 * FEW < np.count_nonzero(seen) <= int(0.9 * 4 * FEW) + 1


def test_a_seed_draws_the_same_again_and_places_differ():
    def draws(seed):
        request, found = Request(0, [1], Sampling(50, temperature=3.0, seed=seed)), []
        for _ in range(20):
            found += Sampler().draw(LOGITS[None], [request])
            request.output.append(found[-1])
        return found

    assert draws(5) == draws(5) != draws(6)
    assert len(set(draws(5))) > 2


def test_without_a_seed_requests_differ_and_a_batch_is_not_one_draw():
    asked = [Request(i, [1], Sampling(9, temperature=3.0)) for i in range(50)]
    assert len(set(Sampler(1).draw(LOGITS.expand(50, -1), asked))) > 2


class Letters:
    """A tokenizer's stream for the tests: a token is a letter, `é` needs two."""

    def __init__(self):
        self.half = False

    def put(self, token):
        if token == 0 and not self.half:
            self.half = True
            return ""
        text = "é" if self.half else chr(96 + token)
        self.half = False
        return text

    def finish(self):
        return "�" if self.half else ""


def said(tokens, **sampling):
    voice = Voice(Request(0, [1], Sampling(99, **sampling)), Letters())
    return [voice.say(t, last=i == len(tokens) - 1) for i, t in enumerate(tokens)], voice.stopped


def test_text_comes_with_its_tokens_and_characters_whole():
    assert said([1, 0, 9, 2]) == (["a", "", "é", "b"], False)


def test_what_may_be_a_stop_string_waits_and_the_stop_string_never_shows():
    assert said([1, 2, 3, 4], stop=("bcx",)) == (["a", "", "", "bcd"], False)
    assert said([1, 2, 3, 4], stop=("bc",))[0][:3] == ["a", "", ""]
    assert said([1, 2, 3], stop=("bc",)) == (["a", "", ""], True)


def test_a_stop_token_is_silent_and_the_end_shows_what_was_held():
    assert said([1, 2, 5], stop=("bz",), stop_tokens=(5,)) == (["a", "", "b"], False)
    assert said([1, 0]) == (["a", "�"], False)
