"""An engine under the panel: the verdict, what it rests on, and what the panel is left with."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest

from constraintlab.course.questions import questions
from constraintlab.course.serving_stage import ServingStage
from constraintlab.engine.setup import Setup
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.estimate import Estimate

CAPS = Capacities(
    {"float32": Estimate.of([1e11], "FLOP/s"), "exp": Estimate.of([1e9], "1/s")},
    Estimate.of([1e10], "B/s"),
    Estimate.of([1e9], "B/s"),
    cores=2,
)
WALL = Setup(
    "nano", kv="contiguous", max_length=1024, blocks=128, slots=8, policy="continuous", threads=1
)


pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def stage():
    lab = SimpleNamespace(
        number="04", device="cpu", capacities=CAPS, strip=lambda: [], measured=lambda *_: None
    )
    stage = ServingStage(lab, "nano")
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def served(stage):
    async def both():
        some = questions(12)
        wall = await stage.serve("contiguous", WALL, some)
        paged = await stage.serve("paged", replace(WALL, kv="paged"), some, beside=wall)
        return wall, paged

    return asyncio.run(both())


def test_a_verdict_names_something_from_counted_and_measured_parts(served):
    for one in served:
        assert one.verdict.constraint and one.verdict.predicted > 0
        assert one.verdict.measured.value == pytest.approx(one.rate)
        assert 0 < one.peak_share < 1 and 0 <= one.inside <= one.window.forward
        assert one.caps.cores == 1 and one.caps.bandwidth.value != CAPS.bandwidth.value
        assert len(one.ran.answers) == 12 and all(a.finished for a in one.ran.answers)


def test_what_lies_between_kernels_is_measured_for_each_store_and_ceilings_each_time(stage, served):
    wall, paged = served
    assert paged.gap is not wall.gap and len(stage._known) == 2
    assert min(one.gap.fixed + one.gap.each for one in served) > 0
    assert paged.caps != wall.caps


def test_two_reservations_fit_and_the_rest_waits(served):
    wall, paged = served
    assert max(r.running for r in wall.ran.reports) == 2 and wall.window.queue > 1
    assert wall.stack.kv_room == pytest.approx(2, rel=0.05)
    assert paged.stack.kv_room > wall.stack.kv_room
    assert paged.ran.whole.grown("steps") < wall.ran.whole.grown("steps")


def test_the_panel_rests_on_both_pools_in_mid_run(stage, served):
    scene = stage.panel._scene
    assert [m.name for m in scene.maps] == ["contiguous", "paged"]
    assert [m.tokens for m in scene.maps] == [one.ran.typical.kv[2] for one in served]
    assert scene.lanes.running and all(lane.spans for lane in scene.lanes.lanes)
    assert len(scene.lanes.lanes) == 12


def test_the_panel_has_a_point_for_each_run_and_the_last_verdict(stage, served):
    state = stage.panel._state
    assert state.verdict is served[1].verdict
    assert [(p.name, p.ghost) for p in state.points] == [("contiguous", True), ("paged", False)]
    assert all(p.intensity > 0 and p.flops_per_s > 0 for p in state.points)
    keys = {s.key for s in stage.panel._ring.series}
    assert {"engine.kv_reserved_share", "engine.forward_share"} <= keys
    assert not stage.sampler.running
