"""A game day's points, and what it refuses."""

import asyncio

import pytest

from constraintlab.gameday.day import Day
from constraintlab.gameday.fault import BY_NAME, FAULTS
from constraintlab.gameday.score import Accusation, Outcome, accused

LEAK = BY_NAME["leak"]


@pytest.mark.parametrize(
    "names, points, found, false",
    [
        ([], 0, None, 0),
        ([(0.4, "leak")], 100, 0.4, 0),
        ([(10.9, "leak")], 80, 10.9, 0),
        ([(900.0, "leak")], 20, 900.0, 0),
        ([(3.0, "link"), (10.0, "leak")], 55, 10.0, 1),
        ([(3.0, "link"), (4.0, "nothing")], -50, None, 2),
    ],
)
def test_the_sooner_the_better_and_a_false_alarm_costs(names, points, found, false):
    outcome = Outcome(LEAK, tuple(Accusation(*one) for one in names))
    assert (outcome.points, outcome.found, outcome.false) == (points, found, false)
    assert LEAK.accused in str(outcome) and f"{points} points" in str(outcome)
    assert ("not named" in str(outcome)) is (found is None)


def test_to_accuse_everybody_is_worth_less_than_to_say_nothing():
    for fault in FAULTS:
        others = [f.name for f in FAULTS if f is not fault]
        all_of = [Accusation(0.0, name) for name in (*others, fault.name)]
        assert Outcome(fault, all_of).points < 0


def test_to_say_that_nothing_is_wrong_each_time_pays_on_average_next_to_nothing():
    points = [Outcome(fault, (Accusation(1.0, "nothing"),)).points for fault in FAULTS]
    assert sum(points) / len(points) < 0


def test_who_is_no_suspect_is_refused_with_the_list():
    with pytest.raises(ValueError, match="accuse one of nothing, detokeniser, leak"):
        accused("gremlin")


@pytest.mark.parametrize(
    "options, match",
    [({"rounds": 0}, "1 to 7"), ({"rounds": 8}, "1 to 7"), ({"seconds": 0}, "some seconds")],
)
def test_a_day_that_is_none_is_refused(options, match):
    with pytest.raises(ValueError, match=match):
        Day(**options)


def test_nobody_is_accused_before_the_load_runs():
    with pytest.raises(ValueError, match="while its load runs"):
        Day().accuse("leak")


def test_the_same_seed_is_the_same_day_and_no_fault_comes_twice():
    days = [Day(7, seed=seed)._sealed for seed in (1, 1, 2)]
    assert days[0] == days[1] != days[2]
    assert sorted(f.name for f in days[0]) == sorted(BY_NAME)


class Fake:
    """A round without a server."""

    def __init__(self, fault, known, seconds, server, seed):
        self.fault, self.server, self.closed = fault, server, False

    def start(self):
        pass

    def close(self):
        self.closed = True


class FakeServer:
    """No server."""

    def __init__(self, setup):
        self.closed = False

    def close(self, timeout):
        self.closed = True


def test_a_round_ends_when_its_fault_is_named_or_its_time_is_over(monkeypatch):
    monkeypatch.setattr("constraintlab.gameday.day.Round", Fake)
    monkeypatch.setattr("constraintlab.gameday.day.Server", FakeServer)
    shown = []
    day = Day(2, seconds=0.5, seed=4, known=object(), on_round=shown.append)

    async def both():
        playing = asyncio.ensure_future(day.play())
        while not shown:
            await asyncio.sleep(0.01)
        fault = shown[0].fault
        wrong = next(f for f in FAULTS if f is not fault)
        assert not day.accuse(wrong.name) and not day.accuse(wrong.name), "twice costs once"
        assert day.accuse(fault.name)
        return await playing, await day.play()

    first, second = asyncio.run(both())
    assert first.found < 0.5 and first.false == 1
    assert second.found is None and second.points == 0
    assert day.left == 0 and day.points == first.points
    assert [s is None for s in shown] == [False, True, False, True]
    assert all(s.closed for s in shown if s)
    assert len({id(s.server) for s in shown if s}) == 1 and shown[0].server.closed
    with pytest.raises(ValueError, match="all rounds have been played"):
        asyncio.run(day.play())


def test_a_server_that_is_kept_stays_until_it_is_closed(monkeypatch):
    monkeypatch.setattr("constraintlab.gameday.day.Round", Fake)
    monkeypatch.setattr("constraintlab.gameday.day.Server", FakeServer)
    day = Day(1, seconds=0.2, known=object(), keep=True)

    async def played():
        await day.open()
        first = day.server
        await day.open()
        await day.play()
        return first

    first = asyncio.run(played())
    assert day.server is first and not first.closed and not day.left
    day.close()
    assert first.closed and day.server is None
