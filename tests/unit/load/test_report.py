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


def table(report):
    out = io.StringIO()
    show(report, Console(file=out, width=200))
    return out.getvalue()


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
    for words in ("TTFT", "too few",
                  "too few for E2E's p99: 20 samples, fewer than 100; p99.9: 20",
                  "20 ok, 1 rejected", "20 of 20 right", "1 × rejected: why",
                  "95% of all within ttft ≤ 1000 ms", "the first token is not in it"):  # fmt: skip
        assert words in said


def test_short_and_long_answers_have_ladders_and_goodputs_of_their_own():
    lengths = [2] * 6 + [3] + [9] * 6
    records = [record(i, tokens=n, first=i + (0.5 if n == 9 else 1.5)) for i, n in
               enumerate(lengths)]  # fmt: skip
    report = Report.of([*records, record(13, "cut", tokens=1)], Slo(ttft=1.0))
    short, long = report.halves
    assert (short.name, short.n, long.n, short.split) == ("short", 7, 6, 3)
    assert (short.good, long.good) == (0, 6)
    assert short.ttft[50] == 1.5 and long.ttft[50] == 0.5 and short.e2e[50] < long.e2e[50]
    said = report.json()["halves"]
    assert said["long"]["goodput"] == {"met": 6, "per_s": pytest.approx(6 / report.wall)}
    assert said["short"]["is"] == "at most 3 output tokens"
    assert said["short"]["ttft_s"]["p99.9"]["withheld"] == "7 samples, fewer than 1,000"
    words = table(report)
    for row in (
        "TTFT short",
        "E2E long",
        "long: 6 answers of more than 3 output tokens, 100% within",
    ):
        assert row in words


@pytest.mark.parametrize("lengths", [[4] * 5, [2, 3, 4, 4, 4, 4]])
def test_where_half_have_the_most_tokens_of_all_there_is_no_long_half(lengths):
    report = Report.of([record(i, tokens=n) for i, n in enumerate(lengths)])
    assert [h.n for h in report.halves] == [len(lengths), 0] and report.halves[1].e2e is None
    words = table(report)
    assert "half of the answers or more have 4 output tokens, and none has more" in words
    assert "TTFT short" not in words
    assert Report.of([record(0, "cut")]).halves == ()


def test_the_tail_is_in_the_report_with_what_it_waited_for():
    waited = {"slots": 0.9, "decode": 0.25}
    records = [record(i) for i in range(20)]
    records[7] = record(7, first=9.0, last=9.6, waited={"slots": 1.9, "decode": 0.7},
                        waited_first={"slots": 1.9, "stream": 0.1})  # fmt: skip
    records[3] = record(3, first=4.5, last=4.9, waited=waited, waited_first={"slots": 0.9})
    report = Report.of(records)
    said = json.loads(json.dumps(report.json(), allow_nan=False))
    e2e, ttft = said["tail"]["e2e"], said["tail"]["ttft"]
    assert [r["index"] for r in e2e["requests"]][:2] == [7, 3] and e2e["among"] == 20
    assert e2e["largest"] == "slots" and e2e["explained"] == 2
    assert ttft["causes"][0] == {"cause": "slots", "words": "a slot", "seconds": 2.8,
                                 "share": pytest.approx(2.8 / 3.5)}  # fmt: skip
    assert said["causes"]["slots"] == "a slot" and "slowest 1%" in said["definitions"]["tail"]
    words = table(report)
    assert "spent 80% of it waiting for a slot" in words
    assert "a slot 1,900, its way to the reader 100" in words


def test_a_server_that_says_nothing_of_waiting_gets_no_zeros():
    report = Report.of([record(i) for i in range(5)])
    tail = report.json()["tail"]["e2e"]
    assert tail["causes"] == [] and tail["largest"] is None and tail["explained"] == 0
    assert [r["waited_s"] for r in tail["requests"]] == [{}, {}, {}]
    assert "the server does not say what they waited for" in table(report)
