"""Clients in processes of their own: one run, whatever their number, and none left behind."""

import os
import time

import pytest

from constraintlab.load.arrivals import Uniform
from constraintlab.load.fleet import Fleet, LoadDied
from constraintlab.load.profiles import Lengths, Profile
from constraintlab.load.target import Target
from constraintlab.load.workload import Workload
from tests.unit.load.scripted import elsewhere, stream, tokens

FIVE = Profile("five", Lengths.exactly(5), Lengths.exactly(5))


async def answers(request):
    await request.read()
    return await stream(request, tokens(5, gap=0.01))


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("processes", [1, 2])
def test_the_load_is_the_same_however_many_processes_send_it(processes):
    seen = []
    load = Workload(Uniform(40), FIVE, limit=20)
    with elsewhere(answers) as url, Fleet(Target(url, "tiny"), load, processes, seen.append) as run:
        ran = run.wait(20)
        pids = [c._process.pid for c in run._clients]
        lanes = run.lanes(6)
    assert [r.index for r in ran.records] == list(range(20)) and all(r.ok for r in ran.records)
    assert [r.scheduled for r in ran.records] == pytest.approx([i / 40 for i in range(20)])
    assert all(0 <= r.delay < 0.3 for r in ran.records), "on one clock"
    assert ran.used.processes == processes and ran.used.cpu > 0 and len(ran.used.lags) > 10
    assert seen[-1].ok == 20 and [lane.number for lane in lanes] == list(range(15, 21))
    assert not any(alive(pid) for pid in pids)


def test_a_held_run_sends_nothing_before_it_begins():
    load = Workload(Uniform(1000), FIVE, limit=3)
    with elsewhere(answers) as url, Fleet(Target(url, "tiny"), load, held=True) as run:
        run._clients[0].ready()
        time.sleep(0.3)
        assert run.running and run.counters.sent == 0
        run.begin()
        assert [r.ok for r in run.wait(20).records] == [True] * 3


def test_a_run_can_be_watched_turned_and_stopped():
    load = Workload(Uniform(20), FIVE, duration=60.0)

    async def slowly(request):
        return await stream(request, tokens(5000, gap=0.01))

    with elsewhere(slowly) as url, Fleet(Target(url, "tiny"), load, 2) as run:
        until = time.monotonic() + 10
        while run.counters.streaming < 4 and time.monotonic() < until:
            time.sleep(0.02)
        run.set(0.0)
        run.slow(2)
        time.sleep(0.3)
        held = run.counters.sent
        time.sleep(0.3)
        assert run.counters.sent == held and run.running
        run.stop()
        ran = run.wait(10)
    assert len(ran.records) == held and {r.status for r in ran.records} == {"cancelled"}
    ends = sorted(r.events.times[-1] for r in ran.records)
    assert ends[1] < ends[2] - 0.3, "two were stopped, one of each client"


def test_a_run_that_has_not_ended_is_a_timeout_and_a_dead_client_is_named():
    load = Workload(Uniform(1), FIVE, duration=60.0)
    with elsewhere(answers) as url, Fleet(Target(url, "tiny"), load) as run:
        with pytest.raises(TimeoutError, match=r"not ended after 0\.1 s"):
            run.wait(0.1)
        run._clients[0]._process.kill()
        with pytest.raises(LoadDied, match="ended with status -9"):
            run.wait(10)


def test_wrong_controls_are_named():
    load = Workload(Uniform(1), FIVE, limit=1)
    with pytest.raises(ValueError, match="processes=0"):
        Fleet(Target("http://x", "m"), load, 0)
    with elsewhere(answers) as url, Fleet(Target(url, "tiny"), load) as run:
        with pytest.raises(ValueError, match="factor=-1"):
            run.set(-1)
        with pytest.raises(ValueError, match="-1 slow readers"):
            run.slow(-1)
        run.wait(10)
