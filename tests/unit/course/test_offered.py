"""What lab 07 takes for offered, and what its engine is calibrated with: no engine runs here."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest

from constraintlab.course import calibrate, tail_stage
from constraintlab.course.questions import alike
from constraintlab.course.tail_stage import TailStage
from constraintlab.engine.request import Sampling
from constraintlab.engine.roomy import CROWD, LONG, PROMPT, TOKENS, roomy
from constraintlab.engine.setup import Setup
from tests.unit.engine.test_window import ran as engine_ran

SETUP = Setup("reasoner", policy="continuous", threads=1)


def test_what_the_queue_grew_by_was_offered_too():
    stage = object.__new__(TailStage)
    stage._sizes = [40, 60]
    window = engine_ran(2, reserved=80)
    served = window.grown("tokens") / window.seconds
    assert stage._came(window) == pytest.approx(served)
    grown = replace(window, last=replace(window.last, waiting=window.first.waiting + 3))
    assert stage._came(grown) == pytest.approx(served + 3 * 50 / window.seconds)


@pytest.mark.parametrize(
    ("setup", "tokens", "longest"),
    [
        (SETUP, 10, PROMPT),
        (SETUP, 1500, 1500),
        (replace(SETUP, policy="chunked", tokens=200), 1500, 200),
        (replace(SETUP, policy="chunked", tokens=32), 1500, PROMPT),
    ],
)
def test_an_engine_is_calibrated_with_prompts_as_long_as_a_step_has(
    monkeypatch, setup, tokens, longest
):
    asked = []

    async def calibrated(driver, setup, caps, longest):
        asked.append(longest)
        return SimpleNamespace(), caps, []

    monkeypatch.setattr(tail_stage, "calibrated", calibrated)
    stage = object.__new__(TailStage)
    stage._gaps, stage.driver, stage.caps = {}, None, None
    some = [([1] * tokens, Sampling(4)), ([1] * 5, Sampling(4))]
    for _ in range(2):
        asyncio.run(stage._gap(setup, some))
    assert asked == [longest], "measured once"
    asyncio.run(stage._gap(setup, alike(2, 36)))
    assert asked == ([longest] if longest == PROMPT else [longest, PROMPT])


@pytest.mark.parametrize("longest", [PROMPT, 1500, 8000])
def test_a_roomy_engine_has_room_for_its_crowd_and_for_the_long_prompts(longest):
    made = roomy(SETUP, longest)
    whole = made.blocks * made.block_size
    assert whole >= CROWD * (PROMPT + TOKENS) and whole >= LONG * (longest + made.block_size)


@pytest.mark.parametrize("longest", [PROMPT, 1500])
def test_what_lies_between_a_long_prompt_s_kernels_comes_from_long_prompts(monkeypatch, longest):
    ran, used = [], []

    async def run(driver, n, tokens, prompted=PROMPT):
        ran.append(prompted)
        return f"prompts of {prompted}", engine_ran(2, reserved=80)

    async def use(setup):
        used.append(setup)

    monkeypatch.setattr(calibrate, "_run", run)
    monkeypatch.setattr(calibrate, "probed", lambda caps, names, setup: caps)
    monkeypatch.setattr(calibrate, "needs", lambda stack: [])
    monkeypatch.setattr(calibrate, "engine_stack", lambda *a: None)
    monkeypatch.setattr(calibrate, "between", lambda alone, crowd, prompts, caps: prompts)
    driver = SimpleNamespace(use=use)
    found, _, _ = asyncio.run(calibrate.calibrated(driver, SETUP, None, longest))
    assert found == f"prompts of {longest}" and used == [roomy(SETUP, longest)]
    assert ran == [PROMPT] * 3 + [longest] * (longest > PROMPT)
