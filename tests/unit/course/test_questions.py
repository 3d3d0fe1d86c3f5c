"""Questions to the reasoner: their lengths, and that only right answers count as right."""

from statistics import mean, median

import pytest

from constraintlab.course.questions import LONGEST, Question, alike, continued, questions, wrong
from constraintlab.engine.answer import Answer
from constraintlab.engine.reasoner import collatz


def test_lengths_are_spread_as_a_chat_service_s_and_equal_seeds_ask_the_same():
    some = questions(128)
    lengths = [q.length for q in some]
    assert len({q.start for q in some}) == 128 and questions(128) == some
    assert 110 < median(lengths) < 160 and 160 < mean(lengths) < 220
    assert max(lengths) + 10 <= LONGEST and {len(q.prompt) for q in some} == {10}
    assert questions(20) == some[:20] and questions(20, seed=7) != some[:20]


def test_too_many_questions_are_refused():
    with pytest.raises(ValueError, match="ask fewer"):
        questions(10**6)
    with pytest.raises(ValueError, match="not enough answers of at most 10 tokens"):
        questions(5, most=20)


def test_an_answer_is_right_to_the_last_character_or_wrong():
    q = Question(27)
    text = collatz.answer(27)
    ids, sampling = q.asked
    assert q.right(text) and len(text) == q.length == sampling.max_tokens
    assert ids == collatz.tokens(q.prompt) and sampling.stop_tokens == (collatz.END,)
    assert not q.right(text[:-1]) and not q.right(text + ";") and not q.right("1" + text[1:])


def test_a_continued_answer_is_only_the_rest():
    some = continued(5, 27, 100, 500)
    assert [q.given for q in some] == [100, 200, 300, 400, 500]
    for q in some:
        rest = collatz.answer(27)[q.given :]
        assert q.right(rest) and not q.right(collatz.answer(27)) and q.length == len(rest)
        assert q.prompt.startswith(some[0].prompt)
    with pytest.raises(ValueError, match="the answer has"):
        continued(2, 27, 0, 5000)


def test_alike_questions_have_nearly_one_length():
    some = alike(16, 99)
    assert len({q.start for q in some}) == 16 and all(81 <= q.length <= 117 for q in some)


def test_wrong_names_the_starts():
    some = [Question(6), Question(7)]
    answers = [Answer(i, (), q.asked[1], 0.0) for i, q in enumerate(some)]
    answers[0].tokens = collatz.tokens(collatz.answer(6))
    answers[1].tokens = collatz.tokens(collatz.answer(6))
    assert wrong(some, answers) == [7]
