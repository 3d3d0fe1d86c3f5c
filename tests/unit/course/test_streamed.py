"""A served run as a stack: read back from /metrics, and what binds where the answer is known."""

import asyncio
from dataclasses import replace

import pytest

from constraintlab.course.line import Line, Plan
from constraintlab.course.scraped import Delivered, NotOurs, report
from constraintlab.course.streamed import Moment, Spent, Streamed
from constraintlab.course.streamed_stack import stack_of
from constraintlab.engine.setup import Setup
from constraintlab.engine.window import Between
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.diagnose import diagnose
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource
from constraintlab.load import preflight
from constraintlab.load.arrivals import Uniform
from constraintlab.load.profiles import Lengths, Profile
from constraintlab.load.record import Events, Record
from constraintlab.load.target import Target
from constraintlab.load.workload import Workload
from constraintlab.telemetry.exposition import Scrape

pytestmark = pytest.mark.long

CAPS = Capacities(
    {"float32": Estimate.of([1e11], "FLOP/s"), "exp": Estimate.of([1e9], "1/s")},
    Estimate.of([5e10], "B/s"),
    Estimate.of([3e9], "B/s"),
    cores=1,
)
RATE = 100_000.0
LONG = 400
SETUP = Setup("nano", blocks=300, slots=8, threads=1, words=True, attention={"prefill": "naive"})
SHAPE = Profile("same", Lengths.exactly(24), Lengths.exactly(LONG))


@pytest.fixture(scope="module")
def starved():
    """Eight answers over a link that takes six seconds for them: buffers hold but a part."""
    plan = Plan("starved", SETUP, {}, {"rate": RATE})
    seen = []
    with Line(plan, seen.append) as line:
        text = asyncio.run(preflight.text(Target(line.server.url, "nano")))
        ran = line.run(Workload(Uniform(1000.0), SHAPE, limit=8, text=text))
    return ran, seen


def verdict(ran, **options):
    stack = stack_of(ran, CAPS, Between(), cores=2, **options)
    return diagnose(stack, CAPS, measured=ran.rate), stack


def test_a_starved_link_is_what_binds_and_it_is_predicted(starved):
    ran, _ = starved
    found, stack = verdict(ran, rate=RATE)
    assert found.constraint[0] is Resource.NETWORK
    carried = ran.moments[-1].link.down - ran.moments[0].link.down
    assert found.predicted == pytest.approx(RATE * 8 * LONG / carried, rel=0.01)
    assert stack.population == pytest.approx(8, rel=0.2)


def test_without_the_link_in_the_stack_it_is_not(starved):
    found, _ = verdict(starved[0])
    assert found.constraint[0] is not Resource.NETWORK
    assert found.predicted > 5 * starved[0].rate.value


def test_what_the_server_counted_is_what_the_clients_got(starved):
    ran, seen = starved
    assert ran.report.statuses["ok"] == 8 and len(seen) >= 5
    whole = Delivered.between(ran.moments[0].scrape, ran.moments[-1].scrape)
    assert whole.tokens == ran.report.output == whole.window.grown("tokens") == 8 * LONG
    assert whole.tokens_per_event >= 1
    assert 100 < whole.bytes_per_token < 400
    assert sum(whole.spent.values()) > 0
    assert {s for s, _ in whole.station().stages} == {"receive", "frame", "write", "loop"}


def test_the_naive_rung_s_own_work_is_what_was_counted(starved):
    whole = Delivered.between(starved[0].moments[0].scrape, starved[0].moments[-1].scrape)
    names = {k for k in whole.window.work()}
    assert {"layers", "q·kᵀ", "mask", "·v"} <= names


def test_an_idle_engine_is_charged_no_time_that_it_did_not_spend(starved):
    _, stack = verdict(starved[0], rate=RATE)
    told = next(s for s in stack.host if s.name == "tell")
    assert told.each < 2e-3


def test_a_server_that_is_not_ours_is_said_to_be_none():
    text = "# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running 1\n"
    with pytest.raises(NotOurs, match="constraintlab serve"):
        report(Scrape.of(text, 0.0))


def moment(t, running, tokens):
    lines = [
        "# TYPE constraintlab:engine counter",
        f'constraintlab:engine_total{{of="tokens"}} {tokens}',
        f"constraintlab:engine_report_seconds {t}",
        f"vllm:num_requests_running {running}",
        "# TYPE constraintlab:stream_tokens counter",
        f"constraintlab:stream_tokens_total {tokens}",
    ]
    return Moment(Scrape.of("\n".join(lines) + "\n", t))


def test_the_steady_part_is_where_nearly_as_many_run_as_ever_did():
    running = (0, 2, 8, 8, 7.5, 8, 7, 3, 0)
    moments = tuple(moment(i, n, 100 * i) for i, n in enumerate(running))
    # 25 tokens every quarter of a second, on a clock that starts half a second later.
    events = Events([(i / 4, 25, 99) for i in range(1, 31)])
    record = Record(0, 0.0, 0.0, first=0.25, last=7.5, events=events, output_tokens=750)
    ran = Streamed("made", moments, 750, Spent(), records=(record,), start=0.5)
    assert ran.steady == moments[2:6]
    assert ran.rate.value == pytest.approx(100.0) == ran.rate.low
    assert replace(ran, moments=moments[:4]).steady == moments[:4], "too few to choose from"
    brief = (0, 1, 5, 5, 8, 5, 1, 1, 0)
    moments = tuple(moment(i, n, 100 * i) for i, n in enumerate(brief))
    assert replace(ran, moments=moments).steady == moments[2:6], "half as many as ever"
    brief = (0, 1, 2, 8, 2, 1, 1, 0)
    moments = tuple(moment(i, n, 100 * i) for i, n in enumerate(brief))
    assert replace(ran, moments=moments).steady == moments[1:7], "any at all"
    late = replace(ran, start=4.0)  # the clients got nothing before 4.25
    assert late.rate.low == 0.0 < late.rate.value < 50.0 < late.rate.high
    assert ran.wrong == 0 and replace(ran, records=(replace(record, right=False),)).wrong == 1
