"""The story's flags, and what the bench makes of runs whose rates and verdicts are given."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from constraintlab.bench import migration, story
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource
from constraintlab.load.text import Text

NAMES = [c.name for c in story.CHAPTERS]
RATES = dict(zip(NAMES, (100.0, 150.0, 180.0, 181.0, 300.0, 360.0, 500.0), strict=True))
BINDS = dict(
    zip(NAMES, ("pages", "slots", "slots", "slots", "kv_capacity", "network", "compute"),
        strict=True)
)  # fmt: skip


def test_each_fix_changes_what_it_names_and_keeps_those_before():
    told = story.chapters()
    before = story.Flags()
    for chapter, flags, decoy in told:
        assert flags == replace(before, **chapter.fix)
        assert decoy == replace(flags, **chapter.decoy) != flags
        before = flags
    assert before == story.Flags("flash", 32, "paged", 8)
    assert NAMES == ["naive", "workspace", "fused", "flash", "batching", "paged", "coalesced"]


def test_every_stage_is_a_plan_and_all_have_the_same_pool_and_link():
    plans = [flags.plan(c.name) for c, flags, _ in story.chapters()]
    assert {(p.setup.blocks, p.link["rate"], p.setup.model) for p in plans} == {
        (story.RESERVED * story.LONGEST // story.BLOCK, story.LINK, story.MODEL)
    }
    assert plans[0].setup.attention == {"prefill": "naive"}


def test_the_requests_are_the_same_for_all_and_long_enough_that_naive_pays_for_fresh_pages():
    asks = list(story.workload(Text()).asks())
    assert asks == list(story.workload(Text()).asks()) and len(asks) == story.REQUESTS
    assert {a.exact for a in asks} == {True}
    assert all(1500 <= a.tokens <= 2000 and 64 <= a.output <= 512 for a in asks)
    # H 4, fp32: S×S is 32 MiB from S = 1449 on, and new each time
    assert 4 * story.PROMPTS[0] ** 2 * 4 > 32 * 1024**2


class Told:
    """A bench whose runs are as told: decoys change nothing but by `gain`."""

    def __init__(self, gain=1.0):
        self.gain, self.asked = gain, []

    def run(self, name, flags):
        self.asked.append(name)
        known = name in RATES
        rate = RATES[name] if known else RATES[self.asked[-2]] * self.gain
        binds = (Resource(BINDS[name]),) if known else ()
        verdict = SimpleNamespace(constraint=binds, outcome="bound", predicted=rate * 1.1)
        steady = SimpleNamespace(rate=Estimate.of([rate], "tok/s"))
        return SimpleNamespace(rate=rate, verdict=verdict, streamed=steady)


@pytest.fixture
def report(monkeypatch):
    caps = Capacities({}, Estimate.of([1.0], "B/s"), Estimate.of([1.0], "B/s"), cores=2)

    async def gap(*_):
        return None

    def made(gain=1.0, **options):
        told = Told(gain)
        monkeypatch.setattr("constraintlab.limits.probe.capacities", lambda *_, **__: caps)
        monkeypatch.setattr(migration.Grounds, "gap", gap)
        monkeypatch.setattr(migration, "Bench", lambda *_: told)
        found = migration.run(**options)
        return {r["metric"]: r for r in found.results}, told

    return made


def test_every_metric_of_the_design_is_there(report):
    found, told = report(rounds=2, decoys=1)
    assert {f"x_after_{n}" for n in NAMES} <= found.keys()
    assert found["distinct_constraints"]["value"] == 5
    assert found["distinct_constraints"]["context"] == (
        "pages → slots → kv_capacity → network → compute"
    )
    assert found["end_to_end_speedup"]["value"] == pytest.approx(5.0)
    assert found["decoy_worst_gain"]["value"] == pytest.approx(1.0)
    assert len(told.asked) == 3 * len(NAMES)


def test_a_fix_that_does_nothing_is_said_to_do_nothing(report):
    found, _ = report(rounds=1, decoys=0)
    assert "nothing on this machine" in found["x_after_flash"]["context"]
    assert "nothing on this machine" not in found["x_after_fused"]["context"]
    assert "decoy_worst_gain" not in found


def test_a_decoy_that_helps_after_all_shows(report):
    found, _ = report(gain=1.4, rounds=1, decoys=1)
    assert found["decoy_worst_gain"]["value"] == pytest.approx(1.4)
