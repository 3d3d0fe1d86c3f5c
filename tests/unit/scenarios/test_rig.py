"""An engine on a rig in this process, step by step beside the virtual clock."""

from dataclasses import replace
from itertools import pairwise

import pytest

from constraintlab.engine.request import Request, Sampling
from constraintlab.engine.setup import build, load
from constraintlab.scenarios.real.bed import Own
from constraintlab.scenarios.real.draw import SECONDS, draw
from constraintlab.scenarios.real.journal import between, read
from constraintlab.scenarios.real.rig import Rig, seconds
from constraintlab.scenarios.run import WARM, Workload, cost, run

from .cases import with_

PLAIN = with_(weights=1e6, kv=2e4, users=6, slots=4, tokens=64, requests=40)


def journaled(path, scenario, **more):
    """All of a seed's first requests through an engine whose device takes no time to speak of."""
    quick = replace(cost(scenario), compute=1e18, bandwidth=1e18)
    rig = Rig(
        slots=scenario.slots, tokens=scenario.tokens, blocks=scenario.blocks,
        block_size=scenario.block_size, policy=scenario.policy, threads=1, roofline=quick,
        journal=str(path), **more,
    )  # fmt: skip
    engine = build(rig, load(rig.model))
    for asked in Workload(scenario, 3).first():
        prompt = [1 + i for i in range(asked.size)]
        engine.submit(Request(asked.id, prompt, Sampling(asked.sampling.max_tokens)))
    tokens = lost = 0
    while engine.busy:
        step = engine.step()
        tokens, lost = tokens + step.tokens, lost + step.lost
    return read(path), tokens, lost


def test_the_journal_has_what_the_engine_did(tmp_path):
    lines, tokens, lost = journaled(tmp_path / "j", PLAIN)
    found = between(lines, lines[0].at - 1, lines[-1].at, PLAIN.block_size)
    first = Workload(PLAIN, 3).first()
    assert found.drawn == tokens == sum(a.sampling.max_tokens for a in first)
    assert found.lost == lost
    assert sum(x.tokens for x in lines) == sum(a.size for a in first) + lost
    assert max(x.resident for x in lines) == PLAIN.slots
    assert all(a.at <= b.at for a, b in pairwise(lines))
    assert lines[0].waiting == PLAIN.users - lines[0].resident


def test_a_pool_that_runs_dry_shows_in_blocks_and_lost_tokens(tmp_path):
    most = PLAIN.prompt.most + PLAIN.answer.most
    tight = replace(PLAIN, blocks=-(-most // PLAIN.block_size) + 2)
    lines, _, lost = journaled(tmp_path / "j", tight)
    assert lost == sum(x.lost for x in lines) > 0
    assert max(x.held for x in lines) <= tight.blocks


def test_the_devices_seconds_are_the_rooflines_without_its_host():
    roofline = replace(cost(PLAIN), schedule=1.0, sample=0.5)
    computed = [(1, 9, True), (8, 0, False), (1, 4, True)]
    expected = replace(roofline, schedule=0.0, sample=0.0).step(2, 10 + 5, [(8, 0)])
    assert seconds(roofline, computed) == pytest.approx(expected)


def test_a_cut_shows_in_the_lines_device_time(tmp_path):
    virtual = run(PLAIN, 3)
    assert virtual.seen == PLAIN
    lines, _, _ = journaled(tmp_path / "j", PLAIN)
    again = [
        seconds(cost(PLAIN), [(1, int(x.keys) - 1, True)])
        for x in lines
        if x.decodes == x.ready == 1
    ]
    alone = [x.device for x in lines if x.decodes == x.ready == 1]
    assert again and all(a > 1e3 * b for a, b in zip(again, alone, strict=True))


def test_the_hosts_stages_are_timed_apart(tmp_path):
    lines, _, _ = journaled(tmp_path / "j", PLAIN, schedule=2e-4, sample=1e-4)
    computed = [x for x in lines if x.ready]
    # What is burnt is the thread's own time, so no less passes on any machine.
    assert all(x.schedule >= 2e-4 and x.sample >= 1e-4 * x.decodes for x in computed)


def test_what_is_counted_of_an_open_load_lasts_however_fast_it_comes():
    found = [draw(7, number, Own(wire=100.0)) for number in range(12)]
    open_ = [s for s in found if s.open]
    assert open_ and all((1 - WARM) * s.requests / s.rate >= 0.9 * SECONDS for s in open_)
