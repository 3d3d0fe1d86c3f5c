"""`TierCluster` without Ray: a server of one process stands where the tiers would be."""

import os
import threading
from types import SimpleNamespace

import pytest

from constraintlab.course import tier_cluster
from constraintlab.course.tier_cluster import TierCluster
from constraintlab.course.tiers import ANSWER, SETUP, Tiers
from constraintlab.serving.launch import Server

pytestmark = pytest.mark.long


class Cluster:
    """As `cluster.local.Cluster`, over that server; late: looks until new replicas are there."""

    def __init__(self, url, late=2):
        self.url, self.late, self.closed = url, late, 0
        self.layout, self.replicas = SimpleNamespace(name=SETUP.model), {}

    def scale(self, **replicas):
        self.replicas |= replicas

    def look(self, tier):
        self.late -= 1
        many = 1 if self.late > 0 else self.replicas.get(tier, 1)
        return [{"pid": os.getpid(), "running": 1, "waiting": 0}] * many

    def close(self):
        self.closed += 1


@pytest.fixture(scope="module")
def server():
    with Server(SETUP) as running:
        yield running


@pytest.fixture
def tiers(server):
    made = TierCluster()
    made._cluster, made.url = Cluster(server.url), server.url
    return made


def test_a_run_has_its_rate_and_what_each_tier_spent(tiers):
    looks = []
    tiers.scale(Tiers(1, 2))
    x, spent = tiers.run(24, lambda fleet, replicas: looks.append((fleet.counters, replicas)))
    assert x > 0 and set(spent) == {"gateway", "prefill", "decode", "client"}
    assert all(s >= 0 for s in spent.values()) and spent["client"] > 0
    assert looks and {len(r["decode"]) for _, r in looks} == {2}


def test_answers_have_the_length_that_the_model_counts(tiers, monkeypatch):
    seen = []
    monkeypatch.setattr(tier_cluster, "rate", lambda events: seen.extend(events) or 1.0)
    tiers.run(8, lambda fleet, replicas: None)
    assert sum(n for _, n in seen) == 8 * ANSWER


def test_replicas_that_never_come(tiers, monkeypatch):
    monkeypatch.setattr(tier_cluster, "PATIENCE", 0.3)
    tiers._cluster.late = 10_000
    with pytest.raises(TimeoutError, match="1 prefill, 3 decode were not there"):
        tiers.scale(Tiers(1, 3))


def test_ray_that_comes_too_late_is_ended(monkeypatch):
    made, go = TierCluster(), threading.Event()
    late = Cluster("http://127.0.0.1:9")

    def start():
        go.wait(5)
        made._arrived(late)

    monkeypatch.setattr(made, "_start", start)
    assert not made.begin().wait(0.05) and "not there" in made.why
    go.set()
    made._thread.join(5)
    assert late.closed == 1
    made.close()
    assert late.closed == 1


def test_what_has_come_is_closed_once(tiers):
    cluster = tiers._cluster
    tiers.close()
    tiers.close()
    assert cluster.closed == 1
