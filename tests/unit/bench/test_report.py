"""The bench report: what it prints, what it skips, and that its JSON stays JSON."""

import json
import math

import pytest

from constraintlab.bench.report import Report
from constraintlab.limits.estimate import Estimate

RATIO = Estimate(0.99, 0.97, 1.01, "×")


@pytest.fixture
def report():
    made = Report("panel", {"cpu": "a test's"})
    made.add("panel_throughput_ratio", RATIO, "16 pairs")
    made.add("panel_frames_per_s", Estimate.absent("1/s", "no Chromium found"))
    made.skip("peer", "not installed [gpu]")
    return made


def test_json_has_the_shape_that_every_bench_shares(report):
    whole = json.loads(report.json())
    assert whole == {
        "bench": "panel",
        "machine": {"cpu": "a test's"},
        "results": [
            {"metric": "panel_throughput_ratio", "value": 0.99, "low": 0.97, "high": 1.01,
             "unit": "×", "context": "16 pairs"},
        ],
        "skipped": [
            {"metric": "panel_frames_per_s", "reason": "no Chromium found"},
            {"metric": "peer", "reason": "not installed [gpu]"},
        ],
    }  # fmt: skip


def test_an_absent_value_is_skipped_with_its_reason_and_never_becomes_a_number(report):
    assert [r["metric"] for r in report.results] == ["panel_throughput_ratio"]
    assert "NaN" not in report.json()


def test_an_infinite_ratio_is_skipped_too(report):
    report.add("gain", Estimate(2.0, 1.0, math.inf, "×"))
    assert report.skipped[-1]["metric"] == "gain" and "inf" in report.skipped[-1]["reason"]
    json.loads(report.json(), parse_constant=pytest.fail)


def test_json_never_holds_what_only_python_reads():
    with pytest.raises(ValueError, match="JSON compliant"):
        Report("panel", {"odd": math.nan}).json()


def test_the_table_says_all_of_it(report, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    report.print()
    said = capsys.readouterr().out
    for part in ("panel_throughput_ratio", "0.99 ×", "0.97 … 1.01", "16 pairs"):
        assert part in said
    assert "skipped panel_frames_per_s: no Chromium found" in said
    assert "skipped peer: not installed [gpu]" in said
