"""An engine in a process of its own: answers, cancelling, its death, and its parent's."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from constraintlab.engine.ledger import CAUSES
from constraintlab.engine.process import EngineDied, EngineProcess
from constraintlab.engine.request import Sampling
from constraintlab.engine.setup import Setup

pytestmark = pytest.mark.long

SETUP = Setup(model="nano", blocks=64, slots=4, tokens=64, threads=1)


@pytest.fixture(scope="module")
def engine():
    with EngineProcess(SETUP) as engine:
        yield engine


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0] != "Z"


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_answers_come_back_with_their_times(engine):
    answers = engine.run([([i, 2, 3], Sampling(5 + i)) for i in range(1, 7)])
    assert [len(a.tokens) for a in answers] == [6, 7, 8, 9, 10, 11]
    assert all(a.finished == "length" and a.sent < a.times[0] <= a.times[-1] for a in answers)


def test_answers_can_be_awaited_and_iterated(engine):
    async def both():
        one, two = (engine.submit([5, 6], Sampling(7)) for _ in "ab")
        pieces = [piece async for piece in one]
        return len(pieces), one.tokens, (await two).tokens

    n, tokens, same = asyncio.run(both())
    assert n == 7 and tokens == same


def test_a_request_can_be_cancelled_while_it_runs(engine):
    answer = engine.submit([1], Sampling(1000))
    assert wait_for(lambda: answer.tokens)
    engine.cancel(answer)
    assert answer.result(20).finished == "cancelled" and len(answer.tokens) < 1000
    engine.cancel(answer)


def adds_up(bill, seconds):
    assert set(bill) <= set(CAUSES) and min(bill.values()) >= 0
    return sum(bill.values()) == pytest.approx(seconds, abs=1e-6)


def test_a_bill_covers_the_whole_time_of_each_request_and_of_its_first_token(engine):
    asked = [([i, 2, 3], Sampling(30 + 9 * i)) for i in range(1, 8)]
    for setup in (SETUP, replace(SETUP, slots=1), replace(SETUP, interval=5, policy="mlfq")):
        engine.change(setup)
        answers = engine.run(asked)
        for a in answers:
            assert adds_up(a.bill, a.times[-1] - a.sent)
            if setup.interval == 1:
                assert adds_up(a.first_bill, a.times[0] - a.sent)
            assert "decode" not in a.first_bill and a.bill["decode"] > 0
        if setup.slots == 1:
            assert all(max(a.bill, key=a.bill.get) == "slots" for a in answers[2:])
    engine.change(SETUP)


def test_who_is_cancelled_has_a_bill_when_the_answer_ends(engine):
    long = [engine.submit([1], Sampling(900)) for _ in range(SETUP.slots)]
    queued = engine.submit([1], Sampling(900))
    assert wait_for(lambda: all(a.tokens for a in long))
    asked = time.monotonic()
    for answer in (queued, *long):
        engine.cancel(answer)
        assert answer.result(20).finished == "cancelled"
        assert asked - answer.sent < sum(answer.bill.values()) < time.monotonic() - answer.sent
    assert max(queued.bill, key=queued.bill.get) == "slots"
    assert queued.first_bill == queued.bill and not queued.tokens
    assert all(a.bill["decode"] > 0 and "decode" not in a.first_bill for a in long)


def test_a_request_that_never_fits_is_refused_by_name_and_the_engine_goes_on(engine):
    with pytest.raises(ValueError, match=r"the pool has 1024: shorten the prompt"):
        engine.submit([1], Sampling(2000)).result(20)
    assert engine.run([([1], Sampling(2))])[0].finished == "length"


def test_a_result_that_takes_too_long_says_so(engine):
    answer = engine.submit([1], Sampling(1000))
    with pytest.raises(TimeoutError, match="has not ended within"):
        answer.result(0.001)
    engine.cancel(answer)


def test_another_setup_of_the_same_model_runs_in_the_same_process(engine):
    asked = [([i, 2], Sampling(40)) for i in range(1, 5)]
    before, pid = [a.tokens for a in engine.run(asked)], engine.pid
    try:
        engine.change(replace(SETUP, kv="contiguous", max_length=64, blocks=8, policy="static"))
        assert [a.tokens for a in engine.run(asked)] == before
        engine.ask()
        assert wait_for(lambda: engine.latest and engine.latest.totals["tokens"] == 160)
        assert engine.latest.kv[0] == 128 and engine.pid == pid
        engine.change(replace(SETUP, interval=5))
        together = engine.run(asked)
        assert [a.tokens for a in together] == before
        assert all(len(set(a.times)) <= 1 + 40 / 5 for a in together), "five tokens come at once"
    finally:
        engine.change(SETUP)


def test_a_change_that_can_not_be_leaves_the_engine_as_it_was(engine):
    with pytest.raises(ValueError, match="start another one"):
        engine.change(replace(SETUP, threads=2))
    with pytest.raises(ValueError, match="max_length=-1: give"):
        engine.change(replace(SETUP, kv="contiguous", reserve="max", max_length=-1, blocks=4))
    answer = engine.submit([1], Sampling(1000))
    with pytest.raises(ValueError, match="1 requests still run"):
        engine.change(SETUP)
    engine.cancel(answer)
    assert answer.result(20) and engine.run([([1], Sampling(2))])[0].finished == "length"


def test_the_policy_can_be_switched_while_requests_run(engine):
    long = [engine.submit([1, 2, 3], Sampling(200)) for _ in range(SETUP.slots)]
    assert wait_for(lambda: all(a.times for a in long))
    short = engine.submit([4, 5, 6], Sampling(2))
    engine.switch("mlfq", quantum=4)
    short.result(20)
    assert any(a.finished is None for a in long), "it did not wait for one of them to end"
    with pytest.raises(ValueError, match="use static, "):
        engine.switch("round robin")
    with pytest.raises(ValueError, match="quantum=0"):
        engine.switch("mlfq", quantum=0)
    assert engine.setup.policy == "mlfq"
    engine.switch(SETUP.policy)
    for answer in long:
        assert len(answer.result(20).tokens) == 200
    engine.ask()
    assert wait_for(lambda: any(x.bill.get("paused") for x in engine.latest.lives))
    assert any(span.phase == "paused" for x in engine.latest.lives for span in x.spans)
    assert wait_for(lambda: engine.latest.running == 0)


def test_reports_tell_of_the_pool_and_of_each_request(engine):
    answers = [engine.submit([1] * 20, Sampling(900)) for _ in range(3)]
    assert wait_for(lambda: engine.latest and engine.latest.running == 3)
    report = engine.latest
    capacity, reserved, used = report.kv
    assert capacity == 1024 and 0 < used <= reserved <= capacity
    assert used == sum(report.filled) and len(report.owners) == 64
    lives = {life.number: life for life in report.lives if life.ended is None}
    assert {o for o in report.owners if o} == set(lives) and len(lives) == 3
    assert all(life.spans[-1].phase == "decode" for life in lives.values())
    for answer in answers:
        engine.cancel(answer)
    for answer in answers:
        answer.result(20)


def test_an_engine_of_which_nothing_is_asked_rests(engine):
    def totals():
        before = engine.latest
        engine.ask()
        assert wait_for(lambda: engine.latest is not before)
        return engine.latest.totals

    before = totals()
    time.sleep(0.3)
    after = totals()
    assert after["rest"] - before["rest"] >= 0.3


def test_a_setup_that_cannot_be_built_is_a_clear_error():
    with pytest.raises(ValueError, match="there is no model 'nope': give `reasoner`, a preset"):
        EngineProcess(Setup(model="nope"))
    with pytest.raises(ValueError, match="policy='lifo': use static, continuous, chunked"):
        Setup(policy="lifo")


def test_a_killed_engine_is_one_readable_error_for_everyone_who_waits():
    engine = EngineProcess(SETUP)
    answer = engine.submit([1], Sampling(1000))
    assert wait_for(lambda: answer.tokens)
    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(EngineDied, match=r"ended by signal 9 \(often: out of memory\)"):
        answer.result(20)
    with pytest.raises(EngineDied, match="signal 9"):
        engine.submit([1], Sampling(1))
    engine.close()
    engine.close()


def test_a_crash_inside_brings_the_end_of_its_log():
    engine = EngineProcess(SETUP)
    answer = engine.submit([10**9], Sampling(5))
    with pytest.raises(EngineDied, match=r"(?s)IndexError.*The end of its log.*index"):
        answer.result(20)
    engine.close()
    os.unlink(engine.log.name)


STARTER = """
from constraintlab.engine.process import EngineProcess
from constraintlab.engine.request import Sampling
from constraintlab.engine.setup import Setup
engine = EngineProcess(Setup(model="nano", blocks=64, slots=4, tokens=64, threads=1))
engine.submit([1], Sampling(1000))
print(engine.pid, flush=True)
import time
time.sleep(60)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="reads Linux's /proc")
def test_the_engine_ends_with_the_process_that_started_it():
    path = os.pathsep.join(p for p in sys.path if p)
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    pid = int(starter.stdout.readline())
    assert alive(pid)
    starter.kill()
    starter.wait()
    assert wait_for(lambda: not alive(pid))


def test_its_kernels_are_compiled_before_it_says_that_it_is_ready(tmp_path, monkeypatch):
    monkeypatch.setenv("CONSTRAINTLAB_HOME", str(tmp_path))
    with EngineProcess(SETUP) as engine:
        assert list((tmp_path / "numba").rglob("*.nbc")), "nothing was asked yet"
        engine.ask()
        assert wait_for(lambda: engine.latest) and engine.latest.totals["tokens"] == 0
