"""Stop strings: nothing that may be part of one gets out, and how text is cut does not matter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.engine.stops import StopMatcher

text = st.text("ab", max_size=12)
stops = st.lists(st.text("ab", min_size=1, max_size=4), max_size=3)


def by_hand(stops, text):
    """The text before the stop string that ends first, the longest of those, and that string."""
    for end in range(len(text) + 1):
        ending = [stop for stop in stops if text[:end].endswith(stop)]
        if ending:
            longest = max(ending, key=len)
            return text[: end - len(longest)], longest
    return text, None


@given(stops, st.lists(text, max_size=5))
def test_the_text_is_cut_before_the_first_stop_however_it_arrives(stops, pieces):
    matcher = StopMatcher(stops)
    out = [matcher.push(piece) for piece in pieces]
    shown = "".join(out)
    full, found = by_hand(stops, "".join(pieces))
    assert full.startswith(shown)
    assert (shown + matcher.flush(), matcher.found) == (full, found)


@given(stops, text)
def test_no_more_is_held_back_than_may_start_a_stop_string(stops, text):
    matcher = StopMatcher(stops)
    shown = matcher.push(text)
    if matcher.found is None:
        held = text[len(shown) :]
        assert not held or any(s.startswith(held) and s != held for s in stops)
        longer = (text[i:] for i in range(len(shown)))
        assert not any(s.startswith(end) for s in stops for end in longer)


def test_a_stop_string_across_pieces_is_never_seen():
    matcher = StopMatcher(["</think>"])
    assert [matcher.push(p) for p in ("so 4<", "/th", "ink", ">5", "6")] == ["so 4", "", "", "", ""]
    assert matcher.found == "</think>" and matcher.flush() == ""


def test_a_false_start_comes_out_when_it_is_known_to_be_one():
    matcher = StopMatcher(["##!"])
    assert matcher.push("a##") == "a"
    assert matcher.push("#") == "#"
    assert matcher.flush() == "##" and matcher.flush() == ""


def test_without_stop_strings_all_comes_out_at_once():
    assert StopMatcher([]).push("abc") == "abc"


@pytest.mark.parametrize(
    ("stops", "error", "fix"),
    [("###", TypeError, r"a list of them, \['###'\]"), (["a", ""], ValueError, "leave it out")],
)
def test_wrong_stop_strings_are_told(stops, error, fix):
    with pytest.raises(error, match=fix):
        StopMatcher(stops)
