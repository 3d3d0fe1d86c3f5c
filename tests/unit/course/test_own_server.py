"""Counted work of a server of ours: shares where there is something to compose, else None."""

import asyncio
import time

import pytest

from constraintlab.course.own_server import counted
from constraintlab.engine.setup import Setup
from constraintlab.limits.resource import Resource
from constraintlab.load import preflight
from constraintlab.load.arrivals import Uniform
from constraintlab.load.fleet import Fleet
from constraintlab.load.profiles import Lengths, Profile
from constraintlab.load.target import Target
from constraintlab.load.workload import Workload
from constraintlab.serving.launch import Server
from constraintlab.telemetry.exposition import Scrape
from constraintlab.telemetry.metrics_source import fetch
from tests.unit.course.test_streamed import CAPS
from tests.unit.watch.servers import QUIET, text


def test_another_server_s_scrapes_are_nothing_to_compose():
    scrapes = [Scrape.of(text("vllm 0.11", m), float(t)) for t, m in enumerate(QUIET)]
    assert counted(scrapes, CAPS) is None
    assert counted(scrapes[:1], CAPS) is None and counted([], CAPS) is None


@pytest.mark.long
def test_three_slots_before_a_queue_are_composed_as_lab_06_does():
    setup = Setup("nano", blocks=1000, slots=3, threads=1, words=True)
    with Server(setup, grace=0.5) as server:
        target = Target(server.url, "nano")
        words = asyncio.run(preflight.text(target))
        shape = Profile("same", Lengths.exactly(16), Lengths.exactly(150))
        idle = [_scrape(server) for _ in range(2)]
        assert counted(idle, CAPS) is None, "an engine that did nothing"
        with Fleet(target, Workload(Uniform(100.0), shape, limit=60, text=words)) as fleet:
            end = time.monotonic() + 60
            while fleet.counters.tokens < 200:
                assert time.monotonic() < end, "no 200 tokens within a minute"
                time.sleep(0.05)
            scrapes = []
            for _ in range(8):
                time.sleep(0.25)
                scrapes.append(_scrape(server))
            fleet.stop()
    found = counted(scrapes, CAPS)
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.shares[Resource.SLOTS] > 0 == found.shares[Resource.KV_CAPACITY]
    assert found.worth[Resource.SLOTS] > 1 and found.worth[Resource.NETWORK] == 1
    assert found.sources["dispatch"].startswith("modelled") and found.measured.value > 0
    assert counted([scrapes[-1], scrapes[0]], CAPS) is None, "counters that fell back: a restart"


def _scrape(server):
    return Scrape.of(fetch(f"{server.url}/metrics", 5.0), time.monotonic())
