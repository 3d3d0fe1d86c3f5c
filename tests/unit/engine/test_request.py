"""Requests and sampling: the state's arithmetic, and errors that name the fix."""

import math
from itertools import combinations_with_replacement

import pytest

from constraintlab.engine.request import Phase, Request, Sampling


@pytest.mark.parametrize(
    ("options", "error", "fix"),
    [
        ({"max_tokens": 0}, ValueError, "give 1 or more"),
        ({"max_tokens": 2.5}, TypeError, "whole number"),
        ({"max_tokens": True}, TypeError, "whole number"),
        ({"temperature": -0.1}, ValueError, "0 .greedy. or more"),
        ({"temperature": math.nan}, ValueError, "0 .greedy. or more"),
        ({"temperature": math.inf}, ValueError, "0 .greedy. or more"),
        ({"top_p": 0}, ValueError, "more than 0 and at most 1"),
        ({"top_p": 1.01}, ValueError, "more than 0 and at most 1"),
        ({"top_p": math.nan}, ValueError, "more than 0 and at most 1"),
        ({"seed": 0.5}, TypeError, "whole number"),
        ({"stop": "###"}, TypeError, r"give a tuple, \('###',\)"),
        ({"stop": ("a", "")}, ValueError, "one character or more"),
        ({"stop": (7,)}, ValueError, "strings"),
        ({"stop_tokens": ("a",)}, TypeError, "whole number"),
    ],
)
def test_sampling_names_what_to_give(options, error, fix):
    with pytest.raises(error, match=fix):
        Sampling(**{"max_tokens": 1, **options})


def test_sampling_takes_lists_and_stays_a_key():
    sampling = Sampling(3, 0.7, 0.9, seed=1, stop=["a", "b"], stop_tokens=[2])
    assert (sampling.stop, sampling.stop_tokens) == (("a", "b"), (2,))
    assert len({sampling, Sampling(3, 0.7, 0.9, 1, ("a", "b"), (2,))}) == 1


@pytest.mark.parametrize(
    ("prompt", "error", "fix"),
    [
        ([], ValueError, "BOS"),
        ([1, -1], ValueError, "ids are 0 or more"),
        ("text", TypeError, "token ids"),
        ([1.5], TypeError, "integer"),
    ],
)
def test_a_request_names_what_to_give(prompt, error, fix):
    with pytest.raises(error, match=fix):
        Request("r", prompt, Sampling(1))


def test_a_life_with_a_preemption():
    request = Request("r", [5, 6, 7], Sampling(3))
    assert (request.phase, request.todo, request.decoding) == (Phase.WAITING, 3, False)
    assert request.most == 5, "the third output token is never read"
    request.admit()
    request.advance(2)
    assert (request.todo, request.decoding) == (1, False), "one prompt token is no decode"
    request.advance(1)
    assert not request.append(8)
    assert (request.todo, request.decoding, request.remaining) == (1, True, 2)
    request.preempt()
    assert (request.phase, request.todo, request.decoding) == (Phase.WAITING, 4, False)
    request.admit(computed=2)
    assert request.todo == 2 and not request.decoding
    request.advance(2)
    assert not request.append(9)
    request.advance(1)
    assert request.append(9) and request.finish_reason == "length"
    assert request.phase is Phase.FINISHED and request.tokens == (5, 6, 7, 8, 9, 9)


def test_a_stop_token_ends_the_output_and_is_its_last():
    request = Request("r", [1], Sampling(9, stop_tokens=(4,)))
    request.admit()
    request.advance(1)
    assert request.append(4) and request.finish_reason == "stop" and request.output == [4]


@pytest.mark.parametrize(("start", "stop"), list(combinations_with_replacement(range(6), 2)))
def test_a_span_is_a_slice_of_all_tokens(start, stop):
    request = Request("r", [1, 2, 3], Sampling(9))
    request.output += [4, 5]
    assert request.span(start, stop) == request.tokens[start:stop]


def test_requests_are_equal_only_to_themselves():
    one, two = Request("r", [1], Sampling(1)), Request("r", [1], Sampling(1))
    assert one != two and len({one, two}) == 2
