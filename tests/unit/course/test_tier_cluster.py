"""`TierCluster` without Ray: a server of one process stands where the tiers would be."""

import io
import os
import sys
import threading
from contextlib import redirect_stdout
from types import SimpleNamespace

import pytest

from constraintlab.course import tier_cluster
from constraintlab.course.tier_cluster import TierCluster
from constraintlab.course.tiers import ANSWER, SETUP, Tiers
from constraintlab.course.unsaid import Unsaid
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
    look = lambda fleet, replicas: looks.append((fleet.counters, replicas))  # noqa: E731
    x, spent = tiers.run(Tiers(1, 2), 24, look)
    assert 0 < x.low <= x.value <= x.high
    assert set(spent) == {"gateway", "prefill", "decode", "client"}
    assert all(s >= 0 for s in spent.values()) and spent["client"] > 0
    assert looks and {len(r["decode"]) for _, r in looks} == {2}


def test_answers_have_the_length_that_the_model_counts(tiers, monkeypatch):
    seen = []
    monkeypatch.setattr(tier_cluster, "rate", lambda events, whole: seen.extend(events) or whole)
    monkeypatch.setattr(tier_cluster, "ENOUGH", 2.0)
    whole, _ = tiers.run(Tiers(), 8, lambda fleet, replicas: None)
    assert whole == sum(n for _, n in seen) == 8 * ANSWER


def test_clients_hang_up_once_all_that_counts_has_come(tiers, monkeypatch):
    seen = []
    monkeypatch.setattr(tier_cluster, "rate", lambda events, whole: seen.extend(events) or whole)
    monkeypatch.setattr(tier_cluster, "LOOK", 0.001)
    monkeypatch.setattr(tier_cluster, "ENOUGH", 0.1)
    whole, spent = tiers.run(Tiers(), 250, lambda fleet, replicas: None)
    assert 0.1 * whole <= sum(n for _, n in seen) < whole and all(s >= 0 for s in spent.values())


def test_replicas_that_never_come(tiers, monkeypatch):
    monkeypatch.setattr(tier_cluster, "PATIENCE", 0.3)
    tiers._cluster.late = 10_000
    with pytest.raises(TimeoutError, match="1 prefill, 3 decode were not there"):
        tiers.scale(Tiers(1, 3))


@pytest.fixture
def started(monkeypatch):
    """(a TierCluster that has begun, what it will have once `go` is set, go)."""
    go, made = threading.Event(), Cluster("http://127.0.0.1:9")

    def cluster(layout, wanted):
        go.wait(5)
        return made

    fake = SimpleNamespace(Cluster=cluster)
    monkeypatch.setitem(sys.modules, "constraintlab.cluster", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "constraintlab.cluster.local", fake)
    layout = SimpleNamespace(Layout=lambda **asked: asked)
    monkeypatch.setitem(sys.modules, "constraintlab.cluster.layout", layout)
    found = TierCluster().begin()
    yield found, made, go
    go.set()
    found.close()


def test_ray_lives_as_long_as_the_thread_that_started_it(started):
    tiers, made, go = started
    go.set()
    assert tiers.wait(5) and tiers.url == made.url
    assert tiers._thread.is_alive() and not made.closed
    tiers.close()
    tiers.close()
    assert made.closed == 1 and not tiers._thread.is_alive()


def test_ray_that_comes_too_late_is_ended(started):
    tiers, made, go = started
    assert not tiers.wait(0.05) and "not there" in tiers.why
    go.set()
    tiers._thread.join(5)
    assert made.closed == 1


def test_ray_that_fails_says_why(monkeypatch):
    tiers = TierCluster()
    monkeypatch.setattr(tiers, "_made", lambda: 1 / 0)
    assert not tiers.begin().wait(5) and "division by zero" in tiers.why


def test_what_ray_says_of_its_end_is_not_printed_and_all_else_is():
    kept = io.StringIO()
    with redirect_stdout(Unsaid(kept)):
        print("(raylet) Task listen_for_change failed.", end="")
        print("a learner's line")
    assert kept.getvalue() == "a learner's line\n"
