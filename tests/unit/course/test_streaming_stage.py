"""A served workload under the panel, a link's knobs, and a reader that stands still."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest

from constraintlab.course import slow_reader, streaming_tables
from constraintlab.course.knobs import SLOW_RATE, Knobs
from constraintlab.course.line import Plan
from constraintlab.course.streaming_stage import StreamingStage
from constraintlab.course.told import Undelivered
from constraintlab.engine.setup import Setup
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource
from constraintlab.load.arrivals import Uniform
from constraintlab.load.profiles import Lengths, Profile
from constraintlab.load.workload import Workload
from constraintlab.serving.outbox import Limits

CAPS = Capacities(
    {"float32": Estimate.of([1e11], "FLOP/s"), "exp": Estimate.of([1e9], "1/s")},
    Estimate.of([1e10], "B/s"),
    Estimate.of([1e9], "B/s"),
    cores=2,
)
pytestmark = pytest.mark.long

PACED = Setup("stub@100", policy="continuous", blocks=1024, slots=8)
RATE = 60_000.0
SMALL = {"send_buffer": 4096, "slow": Limits(pause=64)}


def load(tokens, n=8):
    shape = Profile("same", Lengths.exactly(8), Lengths.exactly(tokens))
    return Workload(Uniform(1000.0), shape, limit=n)


@pytest.fixture(scope="module")
def stage():
    lab = SimpleNamespace(
        number="06", device="cpu", capacities=CAPS, strip=lambda: [], measured=lambda *_: None
    )
    stage = StreamingStage(lab, "stub")
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def told(stage):
    async def both():
        wide = await stage.stream(Plan("wide", PACED), load(120))
        ((_, server),) = stage._kept
        starved = await stage.stream(Plan("starved", PACED, {}, {"rate": RATE}), load(120))
        assert [s for _, s in stage._kept] == [server], "the same server, warm"
        return wide, starved

    return asyncio.run(both())


def test_an_engine_with_a_pace_offers_it_and_a_narrow_link_takes_less(told):
    wide, starved = told
    assert wide.verdict.outcome == "demand"
    assert wide.verdict.predicted == pytest.approx(800, rel=0.1)
    assert starved.verdict.constraint[0] is Resource.NETWORK
    assert starved.verdict.predicted == pytest.approx(RATE / starved.ran.wire_bytes, rel=0.01)
    assert starved.rate < wide.rate and starved.rate * starved.ran.wire_bytes < 1.2 * RATE
    assert not starved.ran.wrong and len(starved.ran.records) == 8
    assert wide.front_us > 0 and wide.engine_us > 0


def test_the_panel_rests_on_streams_that_flow_and_the_last_verdict(stage, told):
    scene, state = stage.panel._scene, stage.panel._state
    assert state.verdict is told[1].verdict and not stage.sampler.running
    assert scene.stream.link_capacity == RATE and 4 <= scene.stream.readers <= 8
    assert scene.stream.client_itl > 1.2 * scene.stream.server_itl > 0
    assert len(scene.lanes.lanes) == 8 and scene.lanes.slots == 8
    assert {"link.full_share", "client.cores"} <= {s.key for s in stage.panel._ring.series}


def test_its_tables_say_what_was_measured(told):
    shown = str(streaming_tables.runs(*told))
    assert f"{told[0].rate:,.0f}" in shown and "offered load" in shown and "network" in shown
    stages = str(streaming_tables.stages(*told))
    assert all(name in stages for name, _ in streaming_tables.STAGES) and "client" in stages
    table = str(streaming_tables.intervals(1.0, told[0]))
    assert " yes " in table and " no " in str(streaming_tables.intervals(1e-6, told[0]))
    assert sum(map(len, streaming_tables.gaps(told[0]))) > 8 * 110


def test_a_plan_that_differs_in_what_can_change_finds_the_server_warm(stage, told):
    ((plan, server),) = stage._kept
    eight = Plan("8 an event", replace(PACED, slots=4), {"stream_interval": 8})
    assert plan.becomes(eight) and not plan.becomes(replace(eight, options=SMALL))
    assert not plan.becomes(replace(eight, setup=replace(PACED, model="stub@200")))
    few = asyncio.run(stage.stream(eight, load(120)))
    assert [s for _, s in stage._kept] == [server] and stage._kept[0][0] is eight
    assert server.options.stream_interval == 8 and server.setup.slots == 4
    assert max(max(r.events.tokens) for r in few.ran.records) == 8 and not few.ran.wrong


def test_a_run_of_which_nothing_comes_says_why(stage):
    plan = Plan("too long", replace(PACED, max_length=64))
    with pytest.raises(
        Undelivered, match=r"too long: no token reached a client. 1 × .*the 64 that"
    ):
        asyncio.run(stage.stream(plan, load(500, n=2)))


def test_a_knob_acts_on_the_link_while_tokens_stream(stage):
    knobs = Knobs(stage, Plan("knobs", PACED, SMALL, {"rate": None}), load(2000))
    knobs.widget()
    seen = []

    async def turned():
        run = asyncio.ensure_future(knobs.run(6.0))
        while not knobs.seen and not run.done():
            await asyncio.sleep(0.05)
        knobs._rate.value = 125e3  # as the browser does
        seen.append(stage.line.link.stats())
        knobs._slow.value = True
        seen.append(stage.line.link.stats())
        assert stage.line.link.settings.slow_rate == SLOW_RATE
        await run

    asyncio.run(turned())
    assert (
        knobs.touched and seen[0].capacity == 125e3 and not any(c.slow for c in seen[0].connections)
    )
    assert sum(c.slow for c in seen[1].connections) == 1
    assert list(knobs.seen)[-1] == (125e3, 0.0, True) and "125 kB/s" in knobs.html()
    assert "ended" in knobs.html() and stage.line is None


def test_untouched_the_knobs_go_through_their_programme(stage):
    knobs = Knobs(stage, Plan("knobs", PACED, SMALL, {"rate": None}), load(2000))
    asyncio.run(knobs.run(6.0))
    rates = [rate for rate, _, _ in knobs.seen.values()]
    assert len(rates) == 4 and not knobs.touched
    assert rates[1] < 0.9 * rates[0] and rates[2] > 0.9 * rates[0]


def test_who_stands_still_is_coalesced_then_paused_and_loses_nothing(stage):
    plan = Plan("still", PACED, SMALL, {"rate": None})
    found = asyncio.run(slow_reader.stalled(stage, plan, load(500), 0.8, 3.0))
    assert found.waited == pytest.approx(3.0, abs=0.6)
    assert 0 < found.state("coalescing") < found.state("paused") < 3.0
    assert found.slow.output_tokens == 500 and len(found.others) == 7
    assert 64 < found.largest < 200 and found.queued > 0
    assert found.itl(True).n > 1000 and found.worse < 2
    assert "500 of 500" in str(streaming_tables.slow(found))


def test_a_link_is_needed_to_be_turned_or_to_stand_still(stage):
    with pytest.raises(ValueError, match="it is the link that is turned"):
        Knobs(stage, Plan("x", PACED), load(10))
    with pytest.raises(ValueError, match="its link"):
        asyncio.run(slow_reader.stalled(stage, Plan("x", PACED), load(10), 0.1, 0.1))
