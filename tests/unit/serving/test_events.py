"""Frames of server-sent events: one line each, whatever the text."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.engine.ledger import Bill
from constraintlab.serving.errors import ApiError, error_body
from constraintlab.serving.events import DONE, Events, Usage, error_event, quote

from .conftest import events


def maker(chat=False, usage=False, running=False):
    return Events("id-1", 'a "model"', 7, chat=chat, usage=usage, running=running)


@given(st.text())
def test_any_text_is_one_line_however_lines_are_split_and_comes_back(text):
    data = quote(text)
    assert json.loads(data) == text
    assert len(data.decode().splitlines()) == 1 and len(data.splitlines()) == 1


def test_line_ends_of_unicode_are_escaped_and_other_characters_are_not():
    assert quote("a\u2028b\u2029c\u0085d\ne") == rb'"a\u2028b\u2029c\u0085d\ne"'
    assert quote("é😀") == '"é😀"'.encode()


def test_the_events_of_a_completion():
    make = maker()
    data = make.text("one\n") + make.end(" two", "length", Usage(3, 2))
    first, last = events(data)
    assert first == {
        "id": "id-1", "object": "text_completion", "created": 7, "model": 'a "model"',
        "choices": [{"index": 0, "text": "one\n", "logprobs": None, "finish_reason": None}],
    }  # fmt: skip
    assert last["choices"][0]["text"] == " two" and last["choices"][0]["finish_reason"] == "length"
    assert data.endswith(DONE)


def test_the_events_of_a_chat_name_the_role_once():
    make = maker(chat=True)
    found = events(make.text("a") + make.text("b") + make.end("", "stop", Usage(1, 2)))
    assert [e["choices"][0]["delta"] for e in found] == [
        {"role": "assistant", "content": "a"}, {"content": "b"}, {"content": ""},
    ]  # fmt: skip
    assert {e["object"] for e in found} == {"chat.completion.chunk"}


@pytest.mark.parametrize("chat", [False, True])
def test_usage_comes_in_an_event_of_its_own_and_is_null_in_the_others(chat):
    make = maker(chat=chat, usage=True)
    *texts, last = events(make.text("a") + make.end("b", "stop", Usage(3, 2)))
    assert [e["usage"] for e in texts] == [None, None]
    assert last["choices"] == [] and last["usage"] == {
        "prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5,
    }  # fmt: skip


def test_timings_are_beside_the_usage_in_milliseconds_and_nowhere_else():
    bill = Bill({"slots": 1.5, "decode": 0.25}, {"slots": 1.5})
    *texts, last = events(maker(usage=True).end("b", "stop", Usage(3, 2), bill))
    assert last["timings"] == {"slots": 1500.0, "decode": 250.0}
    assert last["timings_to_first_token"] == {"slots": 1500.0}
    assert set(last) == {"id", "object", "created", "model", "choices", "usage", "timings",
                         "timings_to_first_token"}  # fmt: skip
    assert all("timings" not in e for e in texts)
    assert b"timings" not in maker().end("b", "stop", Usage(3, 2), bill)
    assert b"timings" not in maker(usage=True).end("b", "stop", Usage(3, 2))


def test_usage_that_runs_along_is_in_every_event():
    make = maker(usage=True, running=True)
    found = events(make.text("a", Usage(3, 1)) + make.end("b", "stop", Usage(3, 2)))
    assert [e["usage"]["completion_tokens"] for e in found] == [1, 2, 2]


def test_an_error_ends_a_stream_without_saying_that_it_is_done():
    (found,) = events(error_event("the engine\nis gone", "server_error", "engine"))
    assert found["error"] == {
        "message": "the engine\nis gone", "type": "server_error", "param": None, "code": "engine",
    }  # fmt: skip


def test_errors_have_openais_shape_and_whole_seconds_to_wait():
    error = ApiError(429, "full", code="queue_full", retry=2.1)
    assert json.loads(error.body)["error"]["type"] == "rate_limit_error"
    assert error.headers == {"retry-after": "3"}
    assert ApiError(413, "long").headers == {"connection": "close"}
    assert json.loads(error_body("m", "t"))["error"]["code"] is None
