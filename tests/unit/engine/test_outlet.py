"""Lines for whoever asked: nothing lost or doubled at any interval, and the first at once."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.engine.outlet import Outlet
from constraintlab.engine.reasoner.weights import Characters
from constraintlab.engine.request import Request, Sampling
from constraintlab.engine.setup import Setup
from constraintlab.engine.step import Emitted
from constraintlab.engine.voice import Voice
from constraintlab.engine.words import words


def emitted(number, token, text, finished=None):
    return Emitted(SimpleNamespace(id=number), token, text, finished)


def test_one_token_a_line_unless_asked_otherwise():
    out = Outlet()
    assert out.lines([emitted(1, 5, "a"), emitted(2, 6, "", "stop")]) == [
        (1, (5,), "a", None), (2, (6,), "", "stop"),
    ]  # fmt: skip
    assert out.lines([emitted(1, None, "", "cancelled")]) == [(1, (), "", "cancelled")]


def test_the_first_text_goes_at_once_then_so_many_tokens_and_the_rest_with_the_end():
    out = Outlet(3)
    steps = [emitted(1, t, c, "length" if t == 8 else None) for t, c in enumerate("abcdefghi")]
    found = [out.lines([e]) for e in steps]
    assert found == [
        [(1, (0,), "a", None)], [], [], [(1, (1, 2, 3), "bcd", None)], [], [],
        [(1, (4, 5, 6), "efg", None)], [], [(1, (7, 8), "hi", "length")],
    ]  # fmt: skip


@given(
    interval=st.integers(1, 9),
    answers=st.lists(st.lists(st.text(max_size=2), min_size=1, max_size=30), max_size=4),
)
def test_every_token_and_every_text_arrives_once_and_in_order(interval, answers):
    out = Outlet(interval)
    got = {n: ([], "", []) for n in range(len(answers))}
    for i in range(max(map(len, answers), default=0)):
        step = [
            emitted(n, i, texts[i], "length" if i == len(texts) - 1 else None)
            for n, texts in enumerate(answers)
            if i < len(texts)
        ]
        for number, tokens, text, finished in out.lines(step):
            had, said, ends = got[number]
            assert len(tokens) <= interval or finished
            got[number] = [*had, *tokens], said + text, [*ends, finished]
    for n, texts in enumerate(answers):
        tokens, said, ends = got[n]
        assert tokens == list(range(len(texts))) and said == "".join(texts)
        assert ends[-1] == "length" and set(ends[:-1]) <= {None}


TOKENIZER = words(600)


@pytest.mark.parametrize("tokenizer", [TOKENIZER, Characters()])
@given(
    interval=st.integers(2, 9), tokens=st.lists(st.integers(0, 599), min_size=1, max_size=40),
    stop_token=st.sampled_from([(), (300,)]),
)  # fmt: skip
def test_tokens_said_together_are_what_they_are_alone(tokenizer, interval, tokens, stop_token):
    """Bytes among the tokens cut characters in two anywhere."""
    request = Request(0, [1], Sampling(99, stop_tokens=stop_token))
    alone = Voice(request, tokenizer.stream())
    together = Voice(request, tokenizer.stream(), interval)
    ends = [i == len(tokens) - 1 for i in range(len(tokens))]
    one, many = (
        [v.say(t, last=e) for t, e in zip(tokens, ends, strict=True)] for v in (alone, together)
    )
    assert "".join(many) == "".join(one)
    if one[0]:
        assert many[0] == one[0]


def test_a_stop_string_is_looked_for_at_every_token():
    word = TOKENIZER.decode([300])
    request = Request(0, [1], Sampling(99, stop=(word.strip(),)))
    voice = Voice(request, TOKENIZER.stream(), 8)
    voice.say(301)
    voice.say(300)
    assert voice.stopped


def test_an_interval_of_none_is_refused():
    with pytest.raises(ValueError, match="interval=0: give 1 token or more"):
        Setup(interval=0)
