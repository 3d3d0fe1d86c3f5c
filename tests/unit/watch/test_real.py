"""Our own server under load, watched: what was made to bind is found, under any version's names."""

import asyncio
import json
import time
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from typer.testing import CliRunner

from constraintlab.cli import app
from constraintlab.engine.setup import Setup
from constraintlab.limits.resource import Resource
from constraintlab.load import preflight
from constraintlab.load.arrivals import Uniform
from constraintlab.load.fleet import Fleet
from constraintlab.load.profiles import Lengths, Profile
from constraintlab.load.target import Target
from constraintlab.load.workload import Workload
from constraintlab.serving.launch import Server
from constraintlab.serving.link import Link
from constraintlab.telemetry import recording
from constraintlab.telemetry.exposition import Scrape
from constraintlab.watch import looks
from constraintlab.watch.judge import judge
from constraintlab.watch.probe import Probe
from constraintlab.watch.window import Window
from tests.unit.watch.servers import _with

pytestmark = pytest.mark.long

RUN = CliRunner()


@dataclass(frozen=True)
class Case:
    """A server, what is asked of it (requests a second, how many, tokens each), its link's rate."""

    setup: Setup
    rate: float
    limit: int
    output: int
    constraint: Resource
    link: float | None = None


CASES = {
    "kv": Case(Setup("stub@100", blocks=64, slots=64, words=True, threads=1), 50.0, 60, 200,
               Resource.KV_CAPACITY),
    "slots": Case(Setup("stub@100", blocks=4096, slots=4, words=True, threads=1), 50.0, 80, 100,
                  Resource.SLOTS),
    "quiet": Case(Setup("stub@100", blocks=4096, slots=16, words=True, threads=1), 1.0, 20, 40,
                  Resource.DEMAND),
    "link": Case(Setup("stub@200", blocks=4096, slots=64, words=True, threads=1), 50.0, 10, 6000,
                 Resource.NETWORK, 200_000.0),
}  # fmt: skip


def until(holds, seconds=60.0):
    """Wait for it, and leave the server its core meanwhile."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds:g} s"
        time.sleep(0.02)


@pytest.fixture(scope="module", params=CASES)
def seen(request, tmp_path_factory):
    """(case, recording's file, raw texts of /metrics) of nine seconds."""
    case, texts = CASES[request.param], []
    path = tmp_path_factory.mktemp("watch") / "seen.jsonl"
    fetch = looks._fetch

    def kept(url, timeout, key):
        texts.append(fetch(url, timeout, key))
        return texts[-1]

    with ExitStack() as stack:
        server = stack.enter_context(Server(case.setup, grace=0.5))
        url = server.url
        if case.link:
            url = stack.enter_context(Link(url, rate=case.link)).url
        target = Target(url, case.setup.model)
        text = asyncio.run(preflight.text(Target(server.url, case.setup.model)))
        shape = Profile("same", Lengths.exactly(24), Lengths.exactly(case.output))
        load = Workload(Uniform(case.rate), shape, limit=case.limit, text=text)
        fleet = stack.enter_context(Fleet(target, load))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(looks, "_fetch", kept)
        if case.constraint is not Resource.DEMAND:
            until(lambda: fleet.counters.streaming >= min(4, case.limit))
        ran = RUN.invoke(
            app,
            [
                "watch",
                url,
                "--seconds",
                "9",
                "--every",
                "0.5",
                "--timeout",
                "10",
                "--record",
                str(path),
            ],
        )
        assert ran.exit_code == 0, ran.output
        fleet.stop()
    return case, path, texts


def test_what_was_made_to_bind_is_what_diagnose_names(seen):
    case, path, _ = seen
    ran = RUN.invoke(app, ["diagnose", str(path), "--json"])
    found = json.loads(ran.stdout)
    assert found["constraint"][0] == case.constraint.value, found
    assert ran.exit_code == 0 and found["server"] == "constraintlab"
    probed = found["facts"]
    # Where sixty wait before it, the probe can only say for how long it has.
    assert probed["probe_gaps"]["value"] > 0 or probed["probe_ttft_max"]["value"] > 3


OLDER = {
    "vllm:kv_cache_usage_perc": "vllm:gpu_cache_usage_perc",
    "vllm:inter_token_latency_seconds": "vllm:time_per_output_token_seconds",
    "vllm:request_queue_time_seconds": "vllm:time_in_queue_requests",
    "vllm:prefix_cache": "vllm:gpu_prefix_cache",
}


def older(text):
    """As an older vLLM would say it: nothing of our own, and its names."""
    lines = [line for line in text.splitlines() if "constraintlab:" not in line]
    renamed = "\n".join(lines) + "\n"
    for new, old in OLDER.items():
        renamed = renamed.replace(new, old)
    return renamed


def replayed(path, texts, change):
    """The verdict on the texts, changed, at the moments at which they came, probe and all."""
    samples = recording.read(path).samples
    came = [s for s in samples if s.values.get("server.running") is not None]
    first, *rest = map(change, texts)
    left, now = iter(rest), [0.0]
    looker = looks.Looker("http://x", fetch=lambda url, t: next(left), clock=lambda: now[0])
    looker.last = Scrape.of(first, -0.01)
    found = []
    for sample in came:
        now[0] = sample.t
        probed = {
            n: v for n, v in sample.values.items() if n.startswith("probe.") and v is not None
        }
        found.append(_with(looker.look(), probed))
    return judge(Window.of(found), looker.family)


def test_under_vllm_s_older_names_the_verdict_is_the_same(seen):
    case, path, texts = seen
    ours = replayed(path, texts, lambda text: text)
    theirs = replayed(path, texts, older)
    assert ours.family == "constraintlab" and theirs.family == "vllm"
    assert theirs.verdict.outcome == ours.verdict.outcome
    assert theirs.verdict.constraint[0] == ours.verdict.constraint[0] == case.constraint
    assert theirs.facts["itl"] == pytest.approx(ours.facts["itl"])
    assert "slots" in ours.facts and ours.facts.readings["slots"].source == "measured"


def test_a_probe_finds_how_to_ask_and_says_what_it_added():
    """The reasoner knows digits only: the first way to ask is refused, the second is not."""
    with Server(Setup(blocks=256, slots=4, threads=1), grace=0.5) as server:
        probe = Probe(server.url, rate=4.0).start()
        try:
            ended = gaps = tokens = failed = 0
            for _ in range(200):
                found = probe.read()
                if found["probe.ended"].value:
                    ended += found["probe.ended"].value
                    gaps += found["probe.gaps"].value
                    tokens += found["probe.tokens"].value
                    assert 0 < found["probe.itl_s"].value < 5
                    assert 0 < found["probe.ttft_s"].value < 30
                    assert 0 <= found["probe.bunched_share"].value <= 1
                failed += found["probe.failed"].value or 0
                if ended >= 3:
                    break
                asyncio.run(asyncio.sleep(0.1))
        finally:
            probe.close()
    assert ended >= 3 and not failed and gaps == tokens - ended == 31 * ended
    assert probe.read()["probe.itl_s"].source == "n/a: the probe has ended"


def test_where_there_is_no_api_the_probe_says_so():
    probe = Probe("http://127.0.0.1:9").start()
    probe._thread.join(10)
    assert probe.read()["probe.ttft_s"].source.startswith("n/a: no probe: can't connect to")
    probe.close()
