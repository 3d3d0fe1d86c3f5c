"""Each fault is in the component itself, and the samples are true to it."""

import asyncio
import pickle
import time

import pytest

from constraintlab.engine.kv.paged import PagedKV
from constraintlab.engine.request import Request, Sampling
from constraintlab.engine.setup import Setup
from constraintlab.gameday import exporter
from constraintlab.gameday.closed import MOST, ClosedJob
from constraintlab.gameday.fault import BY_NAME
from constraintlab.gameday.rigged import LeakyKV, Rigged, SlowSpeech
from constraintlab.gameday.round import NARROW, SETUP, Round, Unharmed, users
from constraintlab.load import preflight
from constraintlab.load.arrivals import Uniform
from constraintlab.load.fleet import Fleet
from constraintlab.load.job import Job
from constraintlab.load.profiles import Lengths, Profile
from constraintlab.load.target import Target
from constraintlab.load.workload import Workload
from constraintlab.serving.launch import Server
from constraintlab.telemetry.exposition import Scrape
from constraintlab.telemetry.metrics_source import fetch

pytestmark = pytest.mark.long

STUB = Setup(model="stub@200", policy="continuous", slots=4, tokens=64, blocks=64, words=True)
SAME = Profile("same", Lengths.exactly(4), Lengths.exactly(40))


def scraped(url):
    return Scrape.of(fetch(f"{url}/metrics", 5.0), 0.0)


def one(scrape, name):
    return sum(scrape.series[name].values())


def visitors(kv, n, tokens=33):
    for i in range(n):
        request = Request(i, [1] * tokens, Sampling(1))
        kv.attach(request)
        kv.grow(request, tokens)
        request.computed = tokens
        kv.release(request)


def test_a_pool_that_leaks_loses_one_block_of_so_many_and_leaves_an_eighth():
    kv, sound = LeakyKV(40, 16, each=4), PagedKV(40, 16)
    for store in (kv, sound):
        visitors(store, 8)
    assert kv.lost == 8 * 3 // 4 == 40 - kv.free
    assert kv.stats().reserved == kv.lost * 16 and kv.stats().used == 0
    assert sound.free == 40
    visitors(kv, 200)
    assert kv.lost == 35 and kv.free == 5


def test_a_slow_decoder_says_the_same_and_spends_core_seconds():
    class Speech:
        def put(self, *tokens):
            return "".join(map(str, tokens))

        def finish(self):
            return "."

    slow, began = SlowSpeech(Speech(), 0.01), time.thread_time()
    assert slow.put(1, 2, 3) == "123" and slow.finish() == "."
    assert time.thread_time() - began >= 0.03


def test_a_rigged_setup_is_a_setup_wherever_it_is_built():
    rigged = pickle.loads(pickle.dumps(Rigged(leak=3, slots=5)))
    assert rigged.slots == 5 and isinstance(rigged.store(1024), LeakyKV)
    assert type(Rigged(detokenise=1.0).store(1024)) is PagedKV


def asked(server, n, rate, job=Job):
    target = Target(server.url, "stub@200")
    text = asyncio.run(preflight.text(target))
    return Fleet(target, Workload(Uniform(rate), SAME, limit=n, text=text), job=job)


def test_the_engine_s_own_counters_have_the_slow_detokeniser():
    with Server(Rigged(**vars(STUB), detokenise=2e-3)) as server:
        with asked(server, 12, 20.0) as fleet:
            assert {r.status for r in fleet.wait(30).records} == {"ok"}
        time.sleep(0.2)
        series = scraped(server.url).series["constraintlab:host_seconds_total"]
        stages = {dict(labels)["stage"]: seconds for labels, seconds in series.items()}
    assert stages["detokenise"] > 12 * 40 * 2e-3
    assert max(stages, key=stages.get) in ("detokenise", "forward")


def test_a_renamed_metric_is_zero_under_its_old_name_and_true_under_the_new_one():
    rigged = Rigged(**vars(STUB), renamed=True)
    with exporter.Server(rigged) as server, asked(server, 40, 1000.0) as fleet:
        seen = []
        while fleet.running:
            found = scraped(server.url)
            seen.append((one(found, exporter.WAITING), one(found, exporter.RENAMED)))
            time.sleep(0.05)
        fleet.wait(30)
        server.change(STUB)
        assert exporter.RENAMED not in scraped(server.url).series
    assert max(zero for zero, _ in seen) == 0 and max(true for _, true in seen) > 20


def test_a_closed_loop_never_has_more_under_way_and_says_that_each_was_due_as_it_was_sent():
    with Server(STUB) as server:
        most = 0
        with asked(server, 40, 1000.0, ClosedJob) as fleet:
            while fleet.running:
                most = max(most, fleet.counters.open)
                time.sleep(0.02)
            closed = fleet.wait(30).records
        with asked(server, 40, 1000.0) as fleet:
            opened = fleet.wait(30).records
    assert 0 < most <= MOST
    assert max(r.ttft for r in closed) < 0.5 * max(r.ttft for r in opened)
    assert len(closed) == 40 and max(r.delay for r in closed) < 0.05
    assert max(r.scheduled for r in closed) > 1.0 > 0.04 > max(r.scheduled for r in opened)


def test_a_round_s_fault_is_where_it_says_and_its_load_is_relative_to_what_was_measured():
    known = Unharmed(1000.0, 200.0)
    with exporter.Server(SETUP) as server, Round(BY_NAME["link"], known, 5.0, server) as shown:
        rate = shown._link.settings.rate
        assert shown.url == shown._link.url
        assert rate == pytest.approx(NARROW * 0.5 * 1000 * 200)
        shown.start()
        time.sleep(2.0)
        assert shown.running
        report = shown.stop()
        assert report.output > 0 and not shown.running
        with pytest.raises(RuntimeError, match="call `start` first"):
            shown.stop()
        shown.close()
        with Round(BY_NAME["leak"], known, 5.0, server) as shown:
            assert server.setup == shown.setup != SETUP
    plain = Round.__new__(Round)
    for name, holds in (
        ("nothing", lambda s: type(s) is Setup and s.policy == "chunked"),
        ("detokeniser", lambda s: s.detokenise == pytest.approx(0.35e-3) and not s.leak),
        ("leak", lambda s: s.leak >= 1 and not s.detokenise),
        ("prefill", lambda s: s.policy == "continuous" and s.tokens == 2048),
    ):
        plain.__dict__ = {"fault": BY_NAME[name], "_known": known, "seconds": 5.0, "said": 9.0}
        assert holds(plain.setup), name


def test_users_bring_long_prompts_only_where_that_is_the_fault():
    from itertools import islice
    from random import Random

    short, long = (
        [s.prompt for s in islice(users(kind).draws(Random(1)), 1000)] for kind in (False, True)
    )
    assert max(short) < 60 < 1000 < max(long)
    assert 30 < sum(p > 600 for p in long) < 100
