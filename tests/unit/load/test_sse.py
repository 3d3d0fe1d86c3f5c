"""Server-sent events, against the standard's own examples and any way of cutting the bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.load.sse import Event, Parser

ENDS = st.sampled_from(["\n", "\r", "\r\n"])
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=20)
LINES = st.one_of(
    TEXTS.map("data: {}".format),
    TEXTS.map("data:{}".format),
    TEXTS.map(": {}".format),
    TEXTS.map("event: {}".format),
    TEXTS.map("id: {}".format),
    TEXTS,
    st.just(""),
    st.sampled_from(["data", "data: ", "data:  two", ":", "retry: 10", "data: \u2028x\u0085é😀"]),
)


def parsed(pieces):
    parser = Parser()
    return [e for piece in pieces for e in parser.feed(piece)], parser


def cut(data, places):
    places = sorted({p % (len(data) + 1) for p in places})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


@given(
    st.lists(st.tuples(LINES, ENDS), max_size=20),
    st.booleans(),
    st.lists(st.integers(0, 1000), max_size=12),
)
def test_any_split_of_the_bytes_gives_the_same_events(lines, mark, places):
    data = b"\xef\xbb\xbf" * mark + "".join(a + b for a, b in lines).encode()
    whole, parser = parsed([data])
    for pieces in (cut(data, places), [bytes([b]) for b in data]):
        split, other = parsed(pieces)
        assert split == whole
        assert (other.pending, other.retry) == (parser.pending, parser.retry)
    assert sum(e.bytes for e in whole) <= len(data)


@given(st.lists(TEXTS, min_size=1, max_size=5), ENDS)
def test_what_was_written_is_read_back(texts, end):
    data = "".join(f"data: {t}{end}" for t in texts) + end
    (only,), parser = parsed([data.encode()])
    assert only.data == "\n".join(texts) and not parser.pending


@pytest.mark.parametrize(
    ("data", "events"),
    [
        # The standard's examples, 9.2.6.
        ("data: YHOO\ndata: +2\ndata: 10\n\n", ["YHOO\n+2\n10"]),
        (": a\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third\n\n",
         ["first", "second", " third"]),
        ("data\n\ndata\ndata\n\ndata:", ["", "\n"]),
        ("data:test\n\ndata: test\n\n", ["test", "test"]),
        # One line, whatever other signs of a line's end Unicode has.
        ("data: a\u2028b\u2029c\u0085d\x0b\x0ce\n\n", ["a\u2028b\u2029c\u0085d\x0b\x0ce"]),
        ("data: a\r\rdata: b\r\n\r\ndata: c\n\r", ["a", "b", "c"]),
        ("event: x\n\ndata: y\n\n", ["y"]),
        ("data: cut", []),
        ("data: cut\n", []),
    ],
)  # fmt: skip
def test_the_standard_s_examples(data, events):
    assert [e.data for e in parsed([data.encode()])[0]] == events


def test_names_ids_and_bytes():
    found, parser = parsed([b"event: add\nid: 7\nretry: 250\ndata: 1\n\ndata: 2\nid: \0\n\n"])
    first, second = found
    assert first == Event("1", "add", "7", bytes=37)
    assert second == Event("2", "message", "7", bytes=15), "an id stays, a name does not"
    assert parser.retry == 250


def test_a_byte_order_mark_is_no_text():
    (only,), _ = parsed([b"\xef", b"\xbb\xbfdata: x\n\n"])
    assert only.data == "x" and only.bytes == 12


def test_a_cut_in_mid_event_shows():
    for data, cut_off in [(b"data: x\n\n", False), (b"data: x\n", True), (b"data: x\n\nda", True)]:
        assert parsed([data])[1].pending == cut_off


def test_bytes_that_are_no_utf8_are_no_error():
    (only,), _ = parsed([b"data: \xff\xe2\x82\n\n"])
    assert only.data == "\ufffd\ufffd"


@pytest.mark.parametrize("piece", [b"data: " + b"x" * 400, b"data: xxxxx\n"])
def test_an_event_that_never_ends_is_an_error_before_the_memory_is_full(piece):
    parser = Parser(largest=1000)
    with pytest.raises(ValueError, match="more than 1,000 bytes"):
        for _ in range(300):
            parser.feed(piece)
    parser = Parser(largest=1000)
    for _ in range(300):
        assert len(parser.feed(b"data: " + b"x" * 900 + b"\n\n")) == 1
