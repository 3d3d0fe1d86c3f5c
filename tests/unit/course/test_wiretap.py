"""An event taken to pieces: every byte is in one of them, and the text is the reader's."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.course import streaming_tables, wiretap
from constraintlab.engine.setup import Setup
from constraintlab.serving.events import Events
from constraintlab.serving.launch import Server


def chunk(event: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(event), event)


@given(text=st.text(min_size=1, max_size=20), chat=st.booleans(), usage=st.booleans())
def test_every_byte_has_its_part_and_the_text_is_found_whatever_it_says(text, chat, usage):
    events = Events("id", "m", 1, chat=chat, usage=usage, running=False)
    events.text("first")
    raw = chunk(events.text(text))
    event = wiretap.Event.of(raw)
    assert b"".join(data for _, data in event.spans()) == raw
    assert sum(event.sizes().values()) == len(raw) and set(event.sizes()) == set(wiretap.PARTS)
    assert json.loads(b'"' + event.text + b'"') == text
    assert event.sizes()["SSE"] == len("data: \n\n")


@pytest.mark.parametrize("text", ['","text":"x', "index", '"choices"', "\n\n", "data: "])
def test_a_text_that_looks_like_a_frame_is_a_text(text):
    raw = chunk(Events("id", "m", 1, chat=False, usage=False, running=False).text(text))
    assert json.loads(b'"' + wiretap.Event.of(raw).text + b'"') == text
    assert b"".join(data for _, data in wiretap.Event.of(raw).spans()) == raw


def test_an_event_without_text_says_what_to_take():
    with pytest.raises(ValueError, match="take an event from the middle"):
        wiretap.Event.of(b"c\r\ndata: {}\n\n\r\n")


@pytest.fixture(scope="module")
def server():
    with Server(Setup("stub")) as server:
        yield server


def test_a_tapped_answer_is_what_a_reader_gets(server):
    said = {"prompt": " babab babad", "max_tokens": 32, "ignore_eos": True}
    whole = wiretap.answer(server.port, wiretap.post("/v1/completions", {**said, "stream": True}))
    parts = wiretap.pieces(whole)
    assert b"".join(parts) == whole and len(parts) == 32
    event = wiretap.tapped(server.port, "/v1/completions", said)
    assert event.text in (b" babab", b" babad") and len(event.raw) == len(parts[16])
    assert "<span" in event._repr_mimebundle_()["text/html"]
    table = str(streaming_tables.events({"one": (event, 1), "eight": (event, 8)}))
    assert f"{len(event.raw)}" in table and f"{len(event.raw) / 8:.0f}" in table


def test_a_request_that_is_refused_says_what_came(server):
    with pytest.raises(ValueError, match=r"400 Bad Request.*max_tokens"):
        wiretap.tapped(server.port, "/v1/completions", {"prompt": "x", "max_tokens": -1})
