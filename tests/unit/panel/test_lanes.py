"""Request lanes: who gets a row, what the title finds, what is sent."""

import json
import math
from array import array

import pytest

from constraintlab.panel import Lane, Lanes
from constraintlab.panel.lanes import (
    FADES,
    ROWS,
    SECONDS,
    admitted,
    pack,
    pick,
    state,
    title,
    window,
)

NOW = 100.0


def queued(number, since=99.0):
    return Lane(number, f"r{number}", [("queued", since, None)])


def runs(number, since=98.0, phase="decode"):
    spans = [("queued", since - 1, since), ("prefill", since, since + 0.1)]
    return Lane(number, f"r{number}", [*spans, (phase, since + 0.1, None)])


def ended(number, at, how="stop"):
    return Lane(number, f"r{number}", [("prefill", at - 2, at - 1), ("decode", at - 1, at)], how)


def lanes(*these, waiting=0, running=0, slots=8):
    return Lanes(NOW, these, waiting, running, slots)


def numbers(shown):
    return [row.lane.number for row in shown.rows]


def finding(*these, **counts):
    return title(lanes(*these, **counts))[0]


def test_rows_are_in_order_of_arrival_the_newest_last():
    shown = pick(lanes(queued(4), ended(2, 99.5), runs(3), runs(1)))
    assert numbers(shown) == [1, 2, 3, 4] and shown.rest == ""
    assert {row.strength for row in shown.rows} == {1.0}


def test_who_ended_before_the_window_has_no_row():
    shown = pick(lanes(ended(1, NOW - SECONDS - 0.1), ended(2, NOW - SECONDS + 0.1)))
    assert numbers(shown) == [2]


def test_without_room_the_oldest_ended_go_and_the_next_fade():
    gone = [ended(i, 90 + i / 10) for i in range(1, 11)]
    live = [runs(i) for i in range(11, 11 + ROWS - 6)]
    shown = pick(lanes(*gone, *live))
    assert numbers(shown) == [*range(5, 11), *(lane.number for lane in live)]
    assert [row.strength for row in shown.rows[:4]] == [*FADES, 1.0]
    assert list(FADES) == sorted(FADES) and shown.rest == ""


def test_nothing_fades_while_there_is_room():
    shown = pick(lanes(*(ended(i, 99.0) for i in range(1, ROWS + 1))))
    assert len(shown.rows) == ROWS and {row.strength for row in shown.rows} == {1.0}


def test_of_too_many_that_live_those_that_run_come_first_and_the_rest_is_counted():
    shown = pick(lanes(*(queued(i) for i in range(1, 31)), *(runs(i) for i in range(31, 36))))
    assert numbers(shown) == [*range(1, ROWS - 5), *range(31, 36)]
    assert len(shown.rows) == ROWS - 1 and shown.rest == f"and {30 - ROWS + 6} more that wait"


def test_running_requests_without_a_row_are_counted_too():
    shown = pick(lanes(*(runs(i) for i in range(1, 41)), queued(41)))
    assert numbers(shown) == list(range(1, ROWS))
    assert shown.rest == f"and {40 - ROWS + 1} more that run and 1 more that wait"


def test_a_preempted_request_waits():
    lost = Lane(1, "r1", [("decode", 95.0, 99.0), ("preempted", 99.0, None)])
    many = [runs(i) for i in range(2, 2 + ROWS)]
    assert 1 not in numbers(pick(lanes(lost, *many)))


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ({"waiting": 12, "running": 6}, "12 wait while 6 run"),
        ({"waiting": 1, "running": 1}, "1 waits while 1 runs"),
        ({"waiting": 3, "running": 8}, "3 wait while 8 run, every slot taken"),
        ({"waiting": 2, "running": 0}, "2 wait while none runs"),
        ({"waiting": 0, "running": 5}, "5 run and none waits: 3 of 8 slots are free"),
        ({"waiting": 0, "running": 7}, "7 run and none waits: 1 of 8 slots is free"),
        ({"waiting": 0, "running": 8}, "8 run and none waits"),
    ],
)
def test_the_title_says_who_waits_and_who_runs(counts, says):
    assert finding(runs(1, 99.5), **counts) == says


def test_before_the_first_request_and_after_the_last_the_title_says_so():
    assert finding() == "No request has come yet"
    assert finding(ended(1, 99.0)) == "Nothing runs and nothing waits"


def test_the_title_finds_that_nobody_has_been_let_in():
    told = finding(runs(1, 90.0), runs(2, 95.9), queued(3), waiting=12, running=6)
    assert told == "12 wait while 6 run: no request has been admitted for 4.1 s"
    assert finding(runs(1, 99.1), waiting=12, running=6) == "12 wait while 6 run"
    assert "admitted" not in finding(runs(1, 90.0), running=6), "nobody waits to be admitted"


def test_an_admission_is_the_step_from_waiting_to_work():
    back = Lane(1, "r", [("prefill", 90.0, 91.0), ("decode", 91.0, 92.0), ("preempted", 92.0, 97.0),
                         ("prefill", 97.0, 98.0), ("decode", 98.0, None)])  # fmt: skip
    assert admitted(lanes(back)) == 97.0
    assert admitted(lanes(runs(1, 95.0), runs(2, 93.0))) == 95.0
    assert math.isnan(admitted(lanes(queued(1))))


def test_preemptions_of_the_window_are_counted():
    def lost(number, at):
        return Lane(number, "r", [("decode", at - 1, at), ("preempted", at, None)])

    assert finding(lost(1, 99.5), runs(2, 99.5), waiting=1, running=1) == (
        "1 waits while 1 runs; 1 preemption in the last 20 s"
    )
    told = finding(lost(1, 99.0), lost(2, 98.0), lost(3, 79.0), running=1)
    assert told.endswith("; 2 preemptions in the last 20 s")


def test_spans_are_sent_by_row_with_times_from_now_and_an_open_end_as_nan():
    shown = lanes(runs(2, 98.0), ended(1, 99.0), waiting=0, running=1)
    head, (raw, _) = pack(shown, [])
    spans = array("d", raw).tolist()
    rows = [spans[i : i + 4] for i in range(0, len(spans), 4)]
    assert rows[:2] == [[0, 1, -3, -2], [0, 2, -2, -1]]
    assert rows[2:4] == [[1, 0, -3, -2], [1, 1, -2, pytest.approx(-1.9)]]
    assert rows[4][:2] == [1, 2] and math.isnan(rows[4][3])
    assert [row["label"] for row in head["rows"]] == ["r1", "r2"]
    assert json.loads(json.dumps(head, allow_nan=False)) == head


@pytest.mark.parametrize(
    ("past", "seconds"), [(0, 1), (1.5, 2), (5, 5), (5.1, 8), (15, 20), (300, 20)]
)
def test_the_window_is_as_short_as_the_past(past, seconds):
    assert window(lanes(queued(1, NOW - past))) == seconds
    assert window(lanes(), [(NOW - past, 1, 0), (NOW, 1, 0)]) == seconds
    assert window(lanes()) == 1
    head, _ = pack(lanes(queued(1, NOW - past)), [])
    assert head["seconds"] == seconds


def test_spans_before_the_window_are_not_sent():
    long = Lane(1, "r1", [("queued", 10.0, 20.0), ("prefill", 20.0, 80.0), ("decode", 80.0, None)])
    _, (raw, _) = pack(lanes(long), [])
    assert array("d", raw).tolist()[:3] == [0, 2, -20]


def test_the_batch_and_the_queue_are_sent_in_words_and_over_time():
    head, (_, raw) = pack(lanes(waiting=12, running=6), [(98.0, 5, 3), (NOW, 6, 12)])
    assert (head["running"], head["waiting"], head["slots"]) == ("6 of 8 slots", "12", 8)
    assert head["facts"] == ["running: 6 of 8 slots", "waiting: 12"]
    assert array("d", raw).tolist() == [-2, 5, 3, 0, 6, 12]


def test_without_lanes_there_is_nothing_to_show():
    assert pack(None, []) == ({}, [])


def test_a_row_s_state_is_said_in_words():
    assert state(queued(1), NOW) == "queued for 1.0 s"
    assert state(ended(1, 97.5, "length"), NOW) == "length 2.5 s ago"
    assert state(ended(1, 97.5, ""), NOW) == "ended 2.5 s ago"


@pytest.mark.parametrize(
    ("spans", "says"),
    [
        ([("thinking", 0.0, 1.0)], "'thinking' is none of queued, prefill"),
        ([("queued", 0.0, None), ("prefill", 1.0, None)], "only the last span may have"),
        ([("queued", 2.0, 1.0)], "queued runs from 2.0 to 1.0"),
        ([("queued", math.nan, None)], "queued runs from nan"),
    ],
)
def test_a_lane_that_can_not_be_is_refused(spans, says):
    with pytest.raises(ValueError, match=f"lane 7: {says}"):
        Lane(7, "r7", spans)


def test_negative_counts_are_refused():
    with pytest.raises(ValueError, match="waiting=-1"):
        lanes(waiting=-1)
