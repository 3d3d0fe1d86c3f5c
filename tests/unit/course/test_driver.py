"""Workloads on an engine in its own process: what a run tells, races, batch sizes, calibration."""

import asyncio
import os
import signal
from dataclasses import replace
from types import SimpleNamespace

import pytest

from constraintlab.course import batching, serving_tables
from constraintlab.course.calibrate import calibrated
from constraintlab.course.driver import Driver, Ran, gain, race
from constraintlab.course.inflight import InFlight
from constraintlab.course.questions import questions
from constraintlab.engine.process import EngineDied
from constraintlab.engine.request import Sampling
from constraintlab.engine.setup import Setup
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.estimate import Estimate

pytestmark = pytest.mark.long

PAGED = Setup("nano", kv="paged", blocks=64, slots=8, policy="continuous", threads=1, tokens=64)
FULL = replace(PAGED, kv="contiguous", max_length=256)
ASKED = [([1 + i, 2, 3], Sampling(20 + 5 * i)) for i in range(12)]


@pytest.fixture(scope="module")
def loop():
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def driver():
    driver = Driver()
    yield driver
    driver.close()


def test_a_run_is_told_from_its_first_submission_to_its_last_answer(driver, loop):
    async def go():
        await driver.use(PAGED)
        await driver.run(ASKED)
        return await driver.run(ASKED)

    ran = loop.run(go())
    tokens = sum(20 + 5 * i for i in range(12))
    whole = ran.whole
    assert whole.grown("tokens") == tokens == sum(len(a.tokens) for a in ran.answers)
    assert whole.grown("finished") == 12 and ran.wrong == ()
    assert ran.reports[0].running == ran.reports[-1].running == 0
    assert whole.rate == pytest.approx(tokens / whole.seconds)


def test_a_race_runs_every_setup_on_the_same_questions_and_counts_what_differs(driver, loop):
    setups = {"full": FULL, "paged": PAGED, "static": replace(PAGED, policy="static")}
    raced = loop.run(race(driver, setups, ASKED, rounds=2))
    assert {n: len(r) for n, r in raced.items()} == dict.fromkeys(setups, 2)
    steps = {n: r[0].whole.grown("steps") for n, r in raced.items()}
    assert steps["paged"] < steps["static"] and steps["paged"] < steps["full"]
    assert max(r.running for r in raced["full"][0].reports) <= 4
    waste = {n: r[0].whole.waste for n, r in raced.items()}
    assert waste["full"] > 0.5 > waste["paged"] and raced["paged"][0].whole.spare < 1
    assert gain(raced["paged"], raced["paged"]).value == 1.0
    text = str(serving_tables.stores(raced, over="full"))
    assert "24 of 24" in text and text.count("×") == 2
    assert "static" in str(serving_tables.policies(raced, over="static"))


@pytest.mark.long
def test_another_model_gets_a_process_of_its_own(driver, loop):
    async def go():
        await driver.use(PAGED)
        before = driver.engine
        await driver.use(replace(PAGED, slots=4))
        same = driver.engine is before
        await driver.use(replace(PAGED, dtype="bfloat16"))
        return same, driver.engine is before, before.setup.dtype

    assert loop.run(go()) == (True, False, None)


def test_a_dead_engine_is_told_to_whoever_awaits_it(loop):
    driver = Driver()

    async def go():
        await driver.use(PAGED)
        os.kill(driver.engine.pid, signal.SIGKILL)
        await driver.run(ASKED)

    with pytest.raises(EngineDied, match="signal 9"):
        loop.run(go())
    driver.close()


def test_batch_sizes_share_a_step_and_a_line_through_two_predicts_the_others(driver, loop):
    some = batching.random_prompts(8, 40)
    found = loop.run(batching.race_batches(driver, PAGED, some, (1, 4, 8), rounds=2))
    assert [b.n for b in found] == [1, 4, 8] and all(len(b.runs) == 2 for b in found)
    assert found[-1].device_ms < found[0].device_ms / 2
    assert 0 < found[0].inside(1e-4) < found[0].inside() <= 1.05
    line = batching.Line(a=0.9, b=0.1)
    assert line.rate(1) == 1.0 and line.rate(9) == 5.0 and line.shared(9) == 0.5
    pair = [SimpleNamespace(n=1, step=1.0), SimpleNamespace(n=11, step=2.0)]
    assert batching.Line.through(*pair) == batching.Line(0.9, 0.1)


CAPS = Capacities(
    {"float32": Estimate.of([1e11], "FLOP/s"), "exp": Estimate.of([1e9], "1/s")},
    Estimate.of([1e10], "B/s"),
    Estimate.of([1e9], "B/s"),
    cores=2,
)


def test_calibration_finds_time_between_kernels_and_the_ceilings_of_the_engine_s_threads(
    driver, loop
):
    gap, caps, names = loop.run(calibrated(driver, FULL, CAPS))
    assert 1e-5 < gap.fixed < 0.1 and gap.each < gap.fixed
    assert set(names) == {"compute.float32", "compute.exp", "bandwidth"} and caps.cores == 1
    assert caps.bandwidth.value != CAPS.bandwidth.value


def test_the_part_of_a_run_with_a_queue_and_a_moment_in_it():
    def report(now, waiting, used):
        return SimpleNamespace(now=now, waiting=waiting, kv=(100, 100, used))

    ran = Ran(tuple(report(i, w, u) for i, (w, u) in enumerate(
        [(0, 0), (5, 10), (3, 40), (1, 60), (0, 70), (0, 0)])), ())  # fmt: skip
    assert (ran.busiest.first.now, ran.busiest.last.now) == (1, 3)
    assert ran.typical.now == 2 and len(ran.within(ran.busiest)) == 3
    never = Ran(tuple(report(i, 0, 0) for i in range(4)), ())
    assert never.busiest == never.whole


def test_the_number_in_flight_changes_while_the_engine_runs(driver, loop):
    sampler = SimpleNamespace(start=lambda: None, stop=lambda: None)
    source = SimpleNamespace(restart=lambda: None)
    stage = SimpleNamespace(driver=driver, sampler=sampler, source=source)
    some = [SimpleNamespace(asked=a) for a in batching.random_prompts(8, 60)]
    driver_run, seen = driver.run, []

    async def go():
        live = InFlight(stage, PAGED, some)
        flying = asyncio.ensure_future(live.run(2.0))
        while not live._flying:
            await asyncio.sleep(0.01)
        for n in (8, 2):
            live.want(n)
            seen.append(sum(a.finished is None for a in live._flying[-n:]))
            await asyncio.sleep(0.6)
        await flying
        return live

    async def plain(some):
        return await driver_run([q.asked for q in some])

    stage.driver = SimpleNamespace(use=driver.use, run=plain, report=driver.report)
    loop.run(driver.use(PAGED))
    stage.driver.engine = driver.engine
    live = loop.run(go())
    assert seen == [8, 2] and {8, 2} <= set(live.seen) and live.n == 2
    assert live.seen[8][0] > live.seen[2][0] and "8" in live.html()
    assert live.widget().children[0].options and "in flight" in live.html()


def test_questions_that_are_answered_wrongly_are_named(driver, loop):
    some = questions(2)

    async def go():
        await driver.use(replace(PAGED, blocks=256))  # random weights: it can't know
        return await driver.run(some)

    assert set(loop.run(go()).wrong) == {q.start for q in some}
