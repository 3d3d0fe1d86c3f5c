"""A report counts what was sent, says what it left out, and warns before the numbers."""

import io
import json

import pytest
from rich.console import Console

from constraintlab.load.record import Events, Record
from constraintlab.load.report import Client, Report
from constraintlab.load.slo import Slo
from constraintlab.load.table import show


def record(i, status="ok", delay=0.0, tokens=4, **more):
    """Sent at i; a token at i + 1, then every 0.1 s."""
    events = Events([(i + 1 + k / 10, 1, 100) for k in range(tokens)])
    return Record(
        **{"index": i, "scheduled": i - delay, "sent": float(i), "first": i + 1.0,
           "last": i + 1 + (tokens - 1) / 10, "events": events, "prompt_tokens": 10,
           "output_tokens": tokens, "received": 100 * tokens + 50, "status": status,
           "error": "" if status == "ok" else "why"} | more
    )  # fmt: skip


def test_it_counts_tokens_bytes_and_requests_over_the_wall():
    report = Report.of([record(0), record(1), record(2, "cut", tokens=2)])
    assert report.statuses["ok"] == 2 and report.requests == 3
    assert report.wall == pytest.approx(3.1), "from the first send to the last token"
    assert report.output == 10 and report.output_per_s == pytest.approx(10 / 3.1)
    assert report.requests_per_s == pytest.approx(2 / 3.1)
    assert report.bytes_per_token == pytest.approx(115)
    assert report.tokens_per_event == 1
    assert (report.ttft.n, report.itl.n, report.delay.n) == (2, 6, 3)
    assert report.errors == (("cut", "why", 1),)


def test_goodput_counts_all_requests_that_met_the_slo_and_no_other():
    records = [record(0), record(1, "rejected"), record(2, first=4.0, last=4.3)]
    report = Report.of(records, Slo(ttft=1.5))
    assert report.good == 1
    said = report.json()["goodput"]
    assert said == {"slo_s": {"ttft": 1.5}, "met": 1, "per_s": pytest.approx(1 / report.wall)}
    assert Report.of(records).json()["goodput"] is None


def test_tokens_per_event_and_answers_are_counted():
    events = Events([(1.0, 4, 100), (1.1, 4, 100), (1.2, 0, 50)])
    coalesced = record(0, events=events, output_tokens=8, received=250, right=True)
    report = Report.of([coalesced, record(1, right=False), record(2)])
    assert report.tokens_per_event == pytest.approx(16 / 10)
    assert (report.checked, report.right) == (2, 1)


@pytest.mark.parametrize(
    ("records", "client", "said"),
    [
        ([record(0, delay=0.2)], Client(), "200 ms late (p99): the client is what lags"),
        ([record(0)], Client(lags=[0.07] * 100), "the client's own loop was 70 ms late"),
        ([record(0)], Client(cpu=9.0, wall=10.0), "busy 90% of the time"),
        ([record(0, counted=False)], Client(), "1 answers came without usage"),
        ([record(0, "error")], Client(), "no request ran to its end"),
        ([], Client(), "no request ran to its end"),
    ],
)
def test_what_spoils_the_numbers_is_said_first(records, client, said):
    report = Report.of(records, client=client)
    assert any(said in line for line in report.warnings)
    out = io.StringIO()
    show(report, Console(file=out, width=200))
    assert out.getvalue().startswith("! ")


def test_a_clean_run_has_no_warning():
    assert Report.of([record(0)], client=Client(1.0, 10.0, 1, [0.001] * 50)).warnings == ()


def test_json_is_plain_and_prints_its_definitions():
    report = Report.of([record(i) for i in range(5)], Slo(ttft=2.0), settings={"rate": 1})
    said = json.loads(json.dumps(report.json(), allow_nan=False))
    assert said["ttft_s"]["p50"]["value"] == 1.0
    assert said["itl_s"]["n"] == 15 and said["requests"]["ok"] == 5
    assert "first token" in said["definitions"]["ttft"] and said["settings"] == {"rate": 1}
    json.dumps(Report.of([]).json(), allow_nan=False)


def test_the_table_says_the_figures_in_words():
    out = io.StringIO()
    records = [*(record(i, right=True) for i in range(20)), record(3, "rejected")]
    show(Report.of(records, Slo(ttft=1.0)), Console(file=out, width=120))
    said = out.getvalue()
    for words in ("TTFT", "too few", "20 ok, 1 rejected", "20 of 20 right", "1 × rejected: why",
                  "95% of all within ttft ≤ 1000 ms", "the first token is not in it"):  # fmt: skip
        assert words in said
