"""The reasoner's task: chains by hand, answers checked to the last character, training data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.engine.reasoner import collatz, data

some_start = st.sampled_from(sorted(collatz.starts()))


def test_chains_by_hand():
    assert collatz.chain(6) == [3, 10, 5, 16, 8, 4, 2, 1]
    assert collatz.chain(1) == []
    assert collatz.prompt(27) == "?72000000>"
    assert collatz.answer(4) == "20000000>10000000;"


def test_prompts_are_equally_long_and_answers_are_not():
    lengths = set(collatz.starts().values())
    assert {len(collatz.prompt(n)) for n in (2, 27, 99_999)} == {10}
    assert min(lengths) == 9 and max(lengths) > 3000
    assert len(collatz.starts()) > 99_900


@given(some_start)
def test_the_lengths_are_those_of_the_answers_and_the_right_answer_passes(n):
    answer = collatz.answer(n)
    assert len(answer) == collatz.starts()[n]
    assert collatz.verify(collatz.prompt(n), answer)
    assert collatz.text(collatz.tokens(answer)) == answer


@given(some_start, st.data())
def test_any_single_wrong_character_is_found_where_it_is(n, drawn):
    answer = collatz.answer(n)
    at = drawn.draw(st.integers(0, len(answer) - 1))
    other = drawn.draw(st.sampled_from([c for c in collatz.ALPHABET if c != answer[at]]))
    checked = collatz.verify(collatz.prompt(n), answer[:at] + other + answer[at + 1 :])
    assert not checked and checked.at == at and repr(other) in checked.why


def test_an_answer_that_ends_early_or_goes_on_is_wrong():
    prompt, answer = collatz.prompt(6), collatz.answer(6)
    assert "ends after 0" in collatz.verify(prompt, "").why
    assert collatz.verify(prompt, answer[:-1]).at == len(answer) - 1
    assert "goes on" in collatz.verify(prompt, answer + "1").why


def test_mistakes_name_their_fix():
    with pytest.raises(ValueError, match="is no start: give one of 2 … 99,999"):
        collatz.prompt(1)
    with pytest.raises(ValueError, match="is no prompt"):
        collatz.verify("27", "")
    with pytest.raises(ValueError, match="knows the characters"):
        collatz.tokens("a")


def test_no_held_out_start_is_ever_asked_in_training():
    learn, test = data.split()
    assert not set(learn) & set(test) and len(learn) + len(test) == len(collatz.starts())
    assert 4000 < len(test) < 6000


def test_whole_answers_are_prompt_and_answer_and_only_the_answer_is_learnt():
    ids, mask = data.whole([6, 27])
    text = collatz.text(ids[0][: 10 + 72])
    assert text == collatz.prompt(6) + collatz.answer(6)
    assert collatz.text(ids[0][mask[0]]) == collatz.answer(6)
    assert mask[1].sum() == len(collatz.answer(27))


def test_pieces_are_consecutive_numbers_and_a_new_start_is_not_learnt():
    ids = data.pieces(np.random.default_rng(0), 200, 6)
    mask = data.learnable(ids)
    for row, known in zip(ids, mask, strict=True):
        texts = collatz.text(row)
        numbers = [int(texts[i : i + 8][::-1]) for i in range(0, 54, 9)]
        assert not known[:9].any()
        for i in range(1, 6):
            n = numbers[i - 1]
            follows = n != 1 and numbers[i] == (3 * n + 1 if n % 2 else n // 2)
            assert known[9 * i : 9 * i + 9].all() if follows else not known[9 * i : 9 * i + 9].any()
            assert texts[9 * i - 1] == (";" if n == 1 else ">")
    assert 0.7 < mask[:, 9:].mean() < 1
