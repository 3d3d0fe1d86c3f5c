"""The slowest requests and what they waited for, from hand-made ones and from the virtual clock."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.engine.kv.counted import CountedKV
from constraintlab.engine.ledger import CAUSES
from constraintlab.engine.plan import Budget
from constraintlab.engine.policies.continuous import Continuous
from constraintlab.engine.virtual.clock import Clock
from constraintlab.engine.virtual.cost import StepCost
from constraintlab.engine.virtual.ghost import Ghost
from constraintlab.load.record import Record
from constraintlab.load.tail import Seen, Tail, doing, duration
from constraintlab.load.waits import STREAM, WORDS


def seen(i, ttft, e2e, first=None, waited=None):
    return Seen(i, float(i), 10, 20, ttft, e2e, waited or {}, first or {})


def test_the_tail_is_the_slowest_first_and_what_they_waited_for_together():
    slow = [
        seen(7, 2.0, 9.0, a := {"slots": 1.5, "prompt": 0.5}, a | {"decode": 7.0}),
        seen(3, 4.0, 8.0, b := {"slots": 3.0, "prompt": 1.0}, b | {"decode": 4.0}),
        seen(5, 3.0, 5.0, {"prefill": 2.5, "prompt": 0.5}, {"prefill": 2.5, "prompt": 2.5}),
    ]
    quick = [seen(10 + i, 0.1, 1.0, {"prompt": 0.1}, {"prompt": 1.0}) for i in range(300)]
    tail = Tail.of([*quick, *slow], "ttft")
    assert [s.index for s in tail.requests[:3]] == [3, 5, 7] and len(tail.requests) == 4
    tail = Tail.of([*quick[:200], *slow], "ttft")
    assert [s.index for s in tail.requests] == [3, 5, 7]
    assert tail.seconds == {"slots": 4.5, "prefill": 2.5, "prompt": 2.0} and tail.largest == "slots"
    assert tail.shares == {"slots": 0.5, "prefill": 2.5 / 9, "prompt": 2 / 9}
    assert tail.text == (
        "the slowest 3 of 203 (by TTFT, from 2.0 s on) spent 50% of it waiting for a slot"
    )
    other = Tail.of([*quick[:200], *slow])
    assert [s.index for s in other.requests] == [7, 3, 5] and other.largest == "decode"
    assert other.waiting == "slots"
    assert other.text == (
        "the slowest 3 of 203 (by E2E, from 5.0 s on) spent 50% of it on their own answer, and 20% "
        "waiting for a slot"
    )


@pytest.mark.parametrize(("n", "size"), [(1, 1), (2, 2), (3, 3), (300, 3), (301, 4), (700, 7),
                                          (1000, 10), (5000, 10)])  # fmt: skip
def test_it_has_one_in_a_hundred_three_at_least_and_ten_at_most(n, size):
    assert len(Tail.of([seen(i, 1.0, 2.0) for i in range(n)]).requests) == size


def test_who_has_no_first_token_has_no_ttft_and_nobody_is_no_tail():
    tail = Tail.of([seen(0, None, 5.0), seen(1, 1.0, 2.0)], "ttft")
    assert [s.index for s in tail.requests] == [1] and tail.among == 1
    nobody = Tail.of([seen(0, None, 5.0)], "ttft")
    assert nobody.requests == () and nobody.start is None and nobody.largest is None
    assert nobody.text == "no request has a TTFT" and nobody.json()["causes"] == []


def test_where_nobody_says_anything_the_text_says_so_and_nothing_is_zero():
    tail = Tail.of([seen(i, 1.0, 2.0) for i in range(5)])
    assert tail.seconds == {} and tail.shares == {} and tail.largest is None
    assert tail.text.endswith("from 2.0 s on): the server does not say what they waited for")
    some = Tail.of([seen(0, 1.0, 2.0, waited={"kv": 2.0}), seen(1, 1.0, 2.0), seen(2, 1.0, 2.0)])
    assert some.explained == 1 and some.shares == {"kv": 1.0}
    assert "of which 1 have an account" in some.text


def test_another_servers_causes_keep_their_names_and_all_of_ours_have_words():
    tail = Tail.of([seen(0, 1.0, 2.0, waited={"gremlins": 2.0})])
    assert tail.text.endswith("spent 100% of it waiting for gremlins")
    assert set(WORDS) == {*CAUSES, STREAM}
    assert doing("paused") == "waiting for their turn, their KV kept"
    assert doing("step") == "waiting for the step under way as they came"
    assert doing("stream").startswith("on their way to the reader")


def test_a_wrong_word_names_the_fix():
    with pytest.raises(ValueError, match="by='tpot': give ttft or e2e"):
        Tail.of([], "tpot")
    with pytest.raises(ValueError, match="share=0: give more than 0"):
        Tail.of([], "e2e", 0)


@pytest.mark.parametrize(("seconds", "said"), [(0.0123, "12.3 ms"), (0.5, "500 ms"), (1, "1.0 s"),
                                                (9.94, "9.9 s"), (0.9997, "1.0 s"),
                                                (1234, "1,234 s")])  # fmt: skip
def test_durations_are_short(seconds, said):
    assert duration(seconds) == said


@given(st.lists(st.tuples(st.floats(0.01, 100), st.floats(0, 100), st.floats(0, 100)), max_size=50))
def test_shares_never_exceed_the_whole(sizes):
    tail = Tail.of([seen(i, None, e, waited={"kv": a, "slots": b})
                    for i, (e, a, b) in enumerate(sizes)])  # fmt: skip
    assert math.fsum(tail.shares.values()) <= 1 + 1e-9
    assert list(tail.seconds.values()) == sorted(tail.seconds.values(), reverse=True)


def test_on_the_virtual_clock_one_slot_is_what_those_behind_wait_for():
    clock = Clock(Continuous(), CountedKV(100, 4), Budget(1, 64), StepCost(fixed=1.0))
    ghosts = [Ghost(i, 4, 5, 0.25 * i) for i in range(8)]
    clock.run(ghosts)
    ours = [Seen.of_ghost(g) for g in ghosts]
    for by in ("ttft", "e2e"):
        tail = Tail.of(ours, by)
        assert [s.index for s in tail.requests] == [7, 6, 5] and tail.largest == "slots"
        assert sum(tail.shares.values()) == pytest.approx(1.0)
    assert (ours[7].prompt, ours[7].output, ours[7].at) == (4, 5, 1.75)


def test_a_record_is_seen_by_what_it_waited_for():
    record = Record(4, 1.0, 1.5, first=2.0, last=4.5, prompt_tokens=7, output_tokens=9,
                    waited={"slots": 3.0}, waited_first={"slots": 0.5})  # fmt: skip
    assert Seen.of_record(record) == Seen(4, 1.5, 7, 9, 0.5, 3.0, {"slots": 3.0}, {"slots": 0.5})
