"""What servers stream: texts, usage, errors; and how many tokens each event carried."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.load import chunks
from constraintlab.load.ask import Ask
from constraintlab.load.sse import Event, Parser
from constraintlab.load.tally import Tally
from constraintlab.load.target import Target
from tests.unit.load.scripted import DONE, event, token, usage

ASK = Ask(3, 0.0, "say", 8, tokens=2, answer="01234")


def tally(pieces, **more):
    """The tally of pieces that come 0.1 s apart, and what ended it early."""
    made, parser = Tally(ASK, **more), Parser()
    for i, piece in enumerate(pieces):
        for one in parser.feed(piece):
            ended = made.take(one, i / 10)
            if ended:
                return made, ended
    return made, None


def record(made, status="ok"):
    return made.record(status, "", scheduled=0, sent=0, ended=9.0, received=100)


def test_a_stream_adds_up():
    made, ended = tally([token(""), *(token(str(i)) for i in range(5)), usage(7, 5), DONE])
    assert ended is None and made.done
    r = record(made)
    assert (r.first, r.last) == (0.1, 0.5), "the empty text is no token"
    assert list(r.events.tokens) == [0, 1, 1, 1, 1, 1, 0, 0]
    assert (r.prompt_tokens, r.output_tokens, r.counted, r.right) == (7, 5, True, True)


def test_a_wrong_answer_is_wrong_and_a_cut_one_is_neither():
    made, _ = tally([token("0124"), usage(1, 4), DONE])
    assert record(made).right is False and record(made, "cut").right is None


def test_without_usage_each_event_is_a_token():
    made, _ = tally([token("01"), token("234"), DONE])
    r = record(made)
    assert (r.output_tokens, r.counted, r.prompt_tokens) == (2, False, 2)


def test_coalesced_events_share_the_tokens():
    made, _ = tally([token("01"), token("234"), usage(1, 5), DONE])
    assert list(record(made).events.tokens) == [2, 3, 0, 0]


def test_usage_in_every_chunk_is_believed_at_once():
    said = {"prompt_tokens": 1, "completion_tokens": 4}
    made, _ = tally([token("abcd", usage=said)])
    assert made.tokens == 4


@pytest.mark.parametrize(
    ("delta", "text"),
    [({"role": "assistant", "content": ""}, ""), ({"content": "hi"}, "hi"),
     ({"reasoning_content": "hm"}, "hm"), ({"reasoning": "hm", "content": None}, "hm"), ({}, "")],
)  # fmt: skip
def test_a_chat_s_text_may_be_thought(delta, text):
    data = event({"choices": [{"delta": delta, "finish_reason": None}], "usage": None})
    (one,) = Parser().feed(data)
    assert chunks.read(one.data).written == text


@pytest.mark.parametrize(
    ("data", "said"),
    [("{", "malformed event"), ("[]", "malformed event"), ('{"choices": 3}', "malformed event"),
     ('{"choices": [{"text": 5}]}', "malformed event"), ("", "malformed event"),
     ('{"error": {"message": "engine died"}}', "error event: engine died"),
     ('{"error": "engine died"}', "error event: engine died")],
)  # fmt: skip
def test_what_is_no_chunk_ends_the_request_with_a_reason(data, said):
    status, why = Tally(ASK).take(Event(data), 0.0)
    assert status == "error" and why.startswith(said)


def test_it_can_be_hung_up_on():
    made, ended = tally([token("a"), token("b"), token("c")], cancel_after=2)
    assert ended == ("cancelled", "hung up after 2 tokens") and made.tokens == 2


@given(st.lists(st.integers(0, 12), max_size=30), st.integers(0, 100))
def test_shares_add_up_and_no_text_goes_without_while_there_are_enough(letters, total):
    texts = sum(n > 0 for n in letters)
    found = chunks.share(letters, total)
    assert len(found) == len(letters) and min(found, default=0) >= 0
    assert sum(found) == (total if texts else 0)
    assert all(n == 0 for n, x in zip(found, letters, strict=True) if not x)
    if total >= texts:
        assert all(n >= 1 for n, x in zip(found, letters, strict=True) if x)


@given(st.lists(st.integers(0, 12), max_size=30))
def test_shares_are_exact_where_a_token_is_a_letter_and_where_an_event_is_one(letters):
    assert chunks.share(letters, sum(letters)) == letters
    assert chunks.share(letters, sum(n > 0 for n in letters)) == [int(n > 0) for n in letters]


@pytest.mark.parametrize(
    ("body", "said"),
    [(b'{"error": {"message": "too  long", "type": "x"}}', "too long"),
     (b'{"detail": "no"}', "no"), (b'{"message": "no"}', "no"), (b"<html>\nno", "<html> no"),
     (b"\xff" * 900, "\ufffd" * 300)],
)  # fmt: skip
def test_an_error_body_is_one_line(body, said):
    assert chunks.complaint(body) == said


def test_a_target_puts_a_request_as_servers_expect_it():
    import json

    body = json.loads(Target("http://x", "m", extra={"top_p": 1}).body(ASK))
    assert body == {"model": "m", "prompt": "say", "max_tokens": 8, "temperature": 0, "top_p": 1,
                    "stream": True, "stream_options": {"include_usage": True}}  # fmt: skip
    chat = Target("http://x", "m", chat=True, key="secret")
    said = json.loads(chat.body(Ask(0, 0.0, "say", 8, exact=True)))
    assert said["messages"] == [{"role": "user", "content": "say"}] and said["ignore_eos"]
    assert chat.endpoint == "http://x/v1/chat/completions"
    assert chat.headers["Authorization"] == "Bearer secret" and "secret" not in repr(chat)
    with pytest.raises(ValueError, match="a chat takes text"):
        chat.body(Ask(0, 0.0, (1, 2), 8))


@pytest.mark.parametrize("wrong", [{"timeout": 0}, {"cancel_after": 0}, {"retries": -1}])
def test_a_target_that_makes_no_sense_is_an_error(wrong):
    with pytest.raises(ValueError, match=r"give (seconds|1 token|0 \(a 429)"):
        Target("http://x", "m", **wrong)
