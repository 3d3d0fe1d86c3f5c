"""Open and closed loops on a real engine under the panel, and an order changed meanwhile."""

import asyncio
import math
from dataclasses import replace
from itertools import pairwise
from statistics import median
from types import SimpleNamespace

import pytest

from constraintlab.course import culprits, tail_charts, tail_tables, thinking
from constraintlab.course.driver import Ran
from constraintlab.course.questions import alike
from constraintlab.course.switching import Switching
from constraintlab.course.tail_stage import TailStage
from constraintlab.engine.setup import Setup
from constraintlab.engine.window import Between
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.estimate import Estimate
from tests.unit.engine.test_window import ran as engine_ran

pytestmark = pytest.mark.long

CAPS = Capacities(
    {"float32": Estimate.of([1e11], "FLOP/s"), "exp": Estimate.of([1e9], "1/s")},
    Estimate.of([1e10], "B/s"),
    Estimate.of([1e9], "B/s"),
    cores=2,
)
FCFS = Setup("reasoner", policy="continuous", blocks=128, slots=2, tokens=256, threads=1)
USERS = [*alike(2, 450), *alike(14, 36)]
"""Two long ones take both slots, and the rest come right behind."""

AT = [0.0, 0.001, *(0.05 + 0.01 * i for i in range(14))]


@pytest.fixture(scope="module")
def runs():
    lab = SimpleNamespace(
        number="07", device="cpu", capacities=CAPS, strip=lambda: [], measured=lambda *_: None
    )
    stage = TailStage(lab, "a test")

    async def go():
        stage.promise = 0.2
        spar = await stage.spar("sparring", FCFS, alike(8, 36), clients=2)
        street = await stage.face("street", FCFS, USERS, AT)
        text = stage.panel.text()
        mlfq = await stage.face("MLFQ", replace(FCFS, policy="mlfq"), USERS, AT)
        alone = await stage.alone(FCFS, thinking.words(200))
        switching = Switching(stage, FCFS, USERS, AT)
        before = switching.html()
        await switching.run()
        return spar, street, mlfq, alone, switching, before, text

    with asyncio.Runner() as runner:
        yield runner.run(go())
        stage.close()


def test_a_closed_loop_never_has_more_than_its_clients(runs):
    spar = runs[0]
    assert len(spar.seen) == 8 and spar.worst.waiting == 0 and math.isinf(spar.offered)
    assert not spar.ran.wrong
    events = [(a.sent, 1) for a in spar.ran.answers] + [(a.times[-1], -1) for a in spar.ran.answers]
    open_, most = 0, 0
    for _, step in sorted(events):
        open_ += step
        most = max(most, open_)
    assert most == 2


def test_an_open_loop_asks_when_it_is_due_whatever_the_engine_does(runs):
    street = runs[1]
    sent = [s.at - street.seen[0].at for s in street.seen]
    assert all(s >= due - 1e-3 for s, due in zip(sent, AT, strict=True))
    assert all(a <= b for a, b in pairwise(sent)) and sent[-1] < street.seen[0].e2e, "all wait"
    assert street.offered == pytest.approx(sum(q.length for q in USERS) / AT[-1])
    assert len(street.seen) == 16 and not street.ran.wrong
    coming = street.ran.coming
    assert coming.last.now <= max(a.sent for a in street.ran.answers) or coming == street.ran.whole


def test_the_tail_waited_for_a_slot_and_the_two_long_ones_had_them(runs):
    street = runs[1]
    tail = street.tail()
    assert tail.largest == "slots" and tail.shares["slots"] > 0.8
    for s in tail.requests:
        assert sum(s.first.values()) == pytest.approx(s.ttft, abs=2e-3)
    held = culprits.holders(street.ran, street.seen[2])
    assert culprits.long_share(held, 150) > 0.9
    assert {h.tokens for h in held[:2]} == {q.length for q in USERS[:2]}
    table = str(tail_tables.culprits(street))
    assert f"#{held[0].number} " in table and "the long half had" in table
    words = str(tail_tables.faced(0.2, runs[0], street))
    assert "as many as it takes" in words and "16 of 16" in words and "sparring" in words
    assert "a slot" in tail_charts.waited(tail).text
    assert street.worst.waiting >= 10


def test_who_has_had_little_comes_first_and_the_long_pay(runs):
    _, street, mlfq, *_ = runs

    def overtakes(run):
        """Short ones who have a first token before a long one is done."""
        done = min(s.at + s.e2e for s in run.seen[:2])
        return sum(s.at + s.ttft < done for s in run.seen[2:])

    assert overtakes(street) == 0 and overtakes(mlfq) > 7 and not mlfq.ran.wrong
    assert mlfq.ttft(False)[50] < street.ttft(False)[50]
    both = tail_charts.latencies(0.2, street, mlfq)
    assert "MLFQ" in both.text and both.png().startswith(b"\x89PNG")


def test_the_panel_is_left_with_the_verdict_and_both_halves(runs):
    text = runs[6]
    assert "short half" in text and "long half" in text and "200 ms" in text


def test_a_prompt_alone_takes_a_time(runs):
    assert 0 < runs[3] < runs[1].ttft().high + 1


def test_an_order_changes_by_itself_half_way_and_is_told_apart(runs):
    switching, before = runs[4], runs[5]
    assert "not started" in before and "ended: run the cell again" in switching.html()
    assert not switching.touched and switching.order == "MLFQ"
    short = sum(q.length <= median(q.length for q in USERS) for q in USERS)
    seen = switching.seen
    assert set(seen) == {"FCFS", "MLFQ"} and sum(map(len, seen.values())) == short
    assert [order for _, order in switching._since] == ["FCFS", "MLFQ"]
    assert "MLFQ" in switching.html() and "▶ MLFQ" in switching.html()


def test_what_runs_afterwards_is_not_told_as_its_own(runs):
    switching = runs[4]
    driver, shown = switching.stage.driver, switching.seen
    kept, driver.answers = driver.answers, [SimpleNamespace(times=[9.0], sent=8.0)] * len(USERS)
    try:
        assert switching.seen == shown
    finally:
        driver.answers = kept


def test_a_choice_acts_at_once_and_stops_the_turning():
    told = []
    stage = SimpleNamespace(
        live=True, driver=SimpleNamespace(answers=[], engine=SimpleNamespace(switch=told.append))
    )
    switching = Switching(stage, FCFS, USERS, AT)
    switching.choose("MLFQ")
    assert told == [] and switching.order == "MLFQ", "nobody runs yet"
    switching._running = True
    switching.choose("SRPT, an oracle")
    assert told == ["shortest"] and "SRPT, an oracle schedules" in switching.html()
    box = switching.widget()
    box.children[0].value = "FCFS"
    assert told == ["shortest", "continuous"] and switching.touched


def test_while_users_come_no_more_is_offered_than_came():
    """Five of a hundred have come: the panel holds what was made against those."""
    window = engine_ran(2, reserved=80)
    made = window.grown("tokens")
    stage = object.__new__(TailStage)
    stage._offered, stage._sizes = 1e9, [round(made / 5)] * 100
    stage.driver = SimpleNamespace(answers=[None] * 5)
    last = window.last
    later = replace(last, now=2 * last.now, totals=last.totals | {"rest": last.now})
    so_far = Ran((window.first, later), ())
    found, _ = stage._verdict(so_far, Between(), CAPS)
    assert found.outcome == "demand" and found.fits
    assert found.predicted == pytest.approx(made / later.now) == found.measured.value
