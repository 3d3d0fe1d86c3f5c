"""Lab 08's stage: what it shows with tiers, without, and when they fail on the way."""

import asyncio
import threading
from types import SimpleNamespace

import pytest

from constraintlab.course import tier_cluster, tier_stage
from constraintlab.course.tier_stage import TierSource, TierStage
from constraintlab.course.tiers import Tiers
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource
from constraintlab.load.live import Counters

CAPS = Capacities(
    {"float32": Estimate.of([1e11], "FLOP/s")}, Estimate.of([1e10], "B/s"),
    Estimate.of([1e9], "B/s"), cores=2.0,
)  # fmt: skip
LAB = SimpleNamespace(number="08", capacities=CAPS, strip=lambda: [], measured=lambda *_: None)
RATE = Estimate(66.0, 64.0, 67.0, "tok/s")
SPENT = {"gateway": 1e-4, "prefill": 1e-4, "decode": 2e-4, "client": 1e-4}


class Cluster:
    """As a `TierCluster` that has this throughput; fails: raises in its run."""

    def __init__(self, rate=RATE, there=True, fails=""):
        self.rate, self.there, self.fails = rate, there, fails
        self.why, self.scaled, self.closed = "", [], threading.Event()

    def begin(self):
        return self

    def wait(self, seconds):
        self.why = "" if self.there else "Ray was not there after 60 s more"
        return self.there

    def run(self, tiers, requests, on_look):
        self.scaled.append(tiers)
        if self.fails:
            raise RuntimeError(self.fails)
        fleet = SimpleNamespace(counters=Counters(now=1.0, tokens=200), lanes=lambda: [])
        replica = {"running": 8, "waiting": 3}
        on_look(fleet, {"prefill": [replica], "decode": [replica]})
        return self.rate, SPENT

    def close(self):
        self.closed.set()


@pytest.fixture
def stage(monkeypatch):
    monkeypatch.setattr(tier_stage, "REPLAY", 0.3)
    monkeypatch.setattr(tier_cluster, "missing", lambda: "")
    made = []

    def make(cluster):
        made.append(TierStage(LAB, lambda: cluster))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_tiers_are_measured_beside_what_was_modelled(stage):
    cluster = Cluster()
    ran = asyncio.run(stage(cluster).run(Tiers(1, 1), 2))
    assert ran.real and ran.measured == cluster.rate and ran.spent == SPENT
    assert ran.modelled.value == pytest.approx(69, rel=0.06)
    assert ran.verdict.constraint[0] is Resource.SLOTS and cluster.scaled == [Tiers(1, 1)]


def test_without_ray_the_virtual_clock_runs_and_says_so(stage, monkeypatch):
    monkeypatch.setattr(tier_cluster, "missing", lambda: tier_cluster.EXTRA)
    shown = stage(Cluster())
    readings = []
    monkeypatch.setattr(shown.source, "set", lambda *a: readings.append(a))
    ran = asyncio.run(shown.run(Tiers(1, 2), 2))
    assert not ran.real and "constraintlab[cluster]" in ran.measured.source
    assert ran.verdict.measured.source.startswith("modelled")
    assert readings and {r[-1] for r in readings} == {"modelled: virtual clock"}
    assert "constraintlab[cluster]" in str(shown.told) and "Modelled" in str(shown.told)


@pytest.mark.parametrize(
    ("cluster", "why"),
    [(Cluster(there=False), "not there"), (Cluster(fails="it broke.\n"), "it broke")],
)
def test_ray_that_fails_leaves_a_lab_that_goes_on_and_says_why(stage, cluster, why):
    shown = stage(cluster)
    ran = asyncio.run(shown.run(Tiers(1, 1), 2))
    assert not ran.real and why in ran.measured.source and why in str(shown.told)
    assert cluster.closed.wait(5)
    again = asyncio.run(shown.run(Tiers(1, 2), 2))
    assert not again.real and again.verdict.constraint[0] is Resource.COMPUTE


def test_tiers_that_take_too_long_are_left_behind(stage, monkeypatch):
    monkeypatch.setattr(tier_stage, "BUDGET", 0.1)
    cluster, go = Cluster(), threading.Event()
    cluster.run = lambda *_: go.wait(5)
    ran = asyncio.run(_quick(stage(cluster), go))
    assert not ran.real and "took over" in ran.measured.source


async def _quick(shown, go):
    found = await shown.run(Tiers(1, 1), 2)
    go.set()
    return found


def test_freed_tiers_are_gone(stage):
    cluster = Cluster()
    shown = stage(cluster)
    asyncio.run(shown.free())
    assert cluster.closed.is_set()
    assert not asyncio.run(shown.run(Tiers(1, 1), 2)).real


def test_a_source_that_nothing_feeds_has_no_value():
    source = TierSource()
    assert all(r.value is None for r in source.read().values())
    source.set(1.0, 0.5, 200.0, "measured")
    assert [r.value for r in source.read().values()] == [1.0, 0.5, 200.0]
    source.reset()
    assert all(r.value is None for r in source.read().values())


def test_no_ray_no_thread(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "constraintlab[cluster]" in tier_cluster.missing()


def test_little_memory_no_ray(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    assert tier_cluster.missing(lambda: 3 * 2**30) == ""
    why = tier_cluster.missing(lambda: 2**30)
    assert "2.5 GiB" in why and "1.0 are available" in why and "close other programs" in why
