"""A stream's outbox: nothing is lost, doubled or reordered, and what waits is bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.serving.outbox import Limits, Outbox

LIMITS = Limits(pause=10, most=40, patience=5.0)


def test_with_room_each_token_is_an_event():
    box = Outbox(LIMITS)
    assert [box.put(t, t == "c") for t in "abc"] == ["a", "b", "c"]


def test_an_interval_makes_events_of_several_tokens_but_the_first_goes_out_at_once():
    box = Outbox(LIMITS, interval=3)
    assert [box.put(t, t == "i") for t in "abcdefghi"] == [
        "a", None, None, "bcd", None, None, "efg", None, "hi",
    ]  # fmt: skip


def test_a_token_without_text_waits_for_one_that_has_some():
    box = Outbox(LIMITS)
    assert [box.put("", False), box.put("é"), box.out] == [None, "é", 2]
    assert box.put("", True) == "" and box.out == 1


def test_what_a_blocked_reader_misses_becomes_one_event():
    box = Outbox(LIMITS)
    assert box.put("a") == "a"
    box.block(1.0)
    assert [box.put(t) for t in "bcd"] == [None] * 3
    assert box.state == "coalescing" and box.size == 3 and box.waiting == 3
    assert box.unblock(2.0) == "bcd"
    assert box.state == "flowing" and box.put("e") == "e"


def test_a_reader_that_comes_back_before_the_interval_is_full_waits_for_it():
    box = Outbox(LIMITS, interval=3)
    box.put("a")
    box.block(1.0)
    box.put("b")
    assert box.unblock(2.0) is None and [box.put("c"), box.put("d")] == [None, "bcd"]


def test_a_request_is_to_be_paused_once_more_bytes_wait_than_pause():
    box = Outbox(LIMITS)
    box.put("a")
    box.block(0.0)
    box.put("é" * 5)
    assert box.size == 10 and not box.overfull
    box.put("x")
    assert box.overfull
    box.held = True
    assert not box.overfull and box.state == "paused"


def test_an_answer_that_has_ended_is_not_paused():
    box = Outbox(LIMITS)
    box.put("a")
    box.block(0.0)
    box.put("x" * 20, last=True)
    assert not box.overfull and box.unblock(1.0) == "x" * 20 and box.last


def test_a_reader_is_cut_off_after_its_patience_or_when_too_much_waits():
    box = Outbox(LIMITS)
    box.put("a")
    assert not box.overdue(100.0)
    box.block(100.0)
    assert not box.overdue(105.0) and box.overdue(105.1)
    box.unblock(105.2)
    box.block(105.3)
    assert not box.overdue(110.0), "it took something"
    box.put("x" * 41)
    assert box.overdue(105.3)


@pytest.mark.parametrize("wrong", [{"pause": 0}, {"pause": 9, "most": 9}, {"patience": 0}])
def test_limits_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="give"):
        Limits(**wrong)


words = st.text(alphabet="aé😀", max_size=3)
moves = st.lists(st.one_of(words, st.sampled_from(["<block>", "<unblock>"])), max_size=60)


@given(moves, st.integers(1, 5))
def test_any_course_of_events_brings_all_text_once_and_in_order(moves, interval):
    box, out, tokens, now, sent = Outbox(LIMITS, interval), [], 0, 0.0, 0
    put = [m for m in moves if not m.startswith("<")]
    for move in [*moves, "<unblock>", "<last>"]:
        now += 1.0
        if move == "<block>":
            # Only an event that was let out can be stuck.
            if out and not box.blocked:
                box.block(now)
            continue
        if move == "<unblock>":
            got = box.unblock(now) if box.blocked else None
        else:
            tokens += 1
            got = box.put("!" if move == "<last>" else move, move == "<last>")
        assert got is None or not box.blocked
        if got is not None:
            out.append(got)
            sent += box.out
        assert box.size <= sum(len(p.encode()) for p in put)
        assert sent + box.waiting == tokens
    assert "".join(out) == "".join(put) + "!" and sent == tokens and box.last
