"""The tail bench at a small size."""

import pytest

from constraintlab.bench import tail
from constraintlab.engine.setup import Setup

pytestmark = pytest.mark.long


def test_every_metric_is_there_with_its_spread_and_what_it_stands_for(monkeypatch):
    stub = Setup(model="stub@2000", policy="continuous", slots=4, tokens=512, blocks=512)
    monkeypatch.setattr(tail, "SETUP", stub)
    monkeypatch.setattr(tail, "WHOLE", stub)
    monkeypatch.setattr(tail, "CHUNKED", Setup(**{**stub.__dict__, "policy": "chunked"}))
    monkeypatch.setattr(tail, "POLICIES", tail.POLICIES[:2])
    for name, value in (("SCALE", 64.0), ("LONG", 100)):
        monkeypatch.setattr(tail, name, value)
    told = []
    report = tail.run(60, 1, say=told.append)
    assert [r["metric"] for r in report.results] == [
        "virtual_p50_error", "virtual_p99_error", "short_ttft_p99_gain", "mean_e2e_ratio",
        "chunked_itl_p99_gain", "chunked_throughput_ratio",
    ]  # fmt: skip
    assert not report.skipped and any("mlfq" in line for line in told)
    for r in report.results:
        assert (r["low"] <= r["value"] <= r["high"] and "slots" in r["context"]) or "ms" in r[
            "context"
        ]


def test_a_policys_label_names_its_options():
    assert tail.label(("mlfq", {})) == "mlfq"
    assert tail.label(("classes", {"long": 60, "reserved": 0.25})) == (
        "classes(long=60, reserved=0.25)"
    )


def test_a_slow_machine_has_fewer_requests():
    assert tail.fitting(10.0, 3) == int(280 * 10 / 18)
    assert tail.fitting(1.0, 3) == tail.FEWEST and tail.fitting(1e3, 3) == tail.MOST
