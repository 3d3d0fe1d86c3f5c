"""The virtual bench at a small size, and the machine that it models."""

import pytest

from constraintlab.bench import virtual
from constraintlab.bench.virtual_run import coming, run
from constraintlab.engine.virtual.machines import H100_BLOCKS, h100


def test_the_metrics_of_the_design_are_there(monkeypatch):
    monkeypatch.setattr(virtual, "SATURATED", 200)
    told = []
    report = virtual.run(1000, say=told.append)
    found = {r["metric"]: r["value"] for r in report.results}
    assert set(found) == {"requests_per_s", "peak_memory_mb", "scaling_10x"}
    assert found["requests_per_s"] > 100 and 10 < found["peak_memory_mb"] < 1000
    assert "modelled: H100" in report.results[0]["context"]
    assert sum("p99" in line for line in told) == 2


def test_a_load_that_is_no_load_waits_for_nothing():
    job = {"requests": 50, "rate": 1e-6, "slots": 4, "blocks": H100_BLOCKS, "seed": 1}
    found = run({**job, "policy": "continuous"})
    lengths = [(g.size, g.wanted) for g in coming(50, None, 1)]
    cost = h100()
    alone = sorted(
        cost.step(0, 0, [(p, 0)]) + cost.steps(o - 1, 1, p + 1) for p, o in lengths
    )  # fmt: skip
    assert found["e2e"]["p50"]["value"] == pytest.approx(alone[24], rel=0.01)
    assert found["batch"] == pytest.approx(1.0)


def test_arrivals_and_lengths_are_those_of_their_seed():
    ours, again = ([(g.arrival, g.size, g.wanted) for g in coming(9, 2.0, 7)] for _ in range(2))
    assert ours == again and sorted(ours) == ours
    assert [o[1:] for o in ours] == [(g.size, g.wanted) for g in coming(9, 50.0, 7)]


def test_the_modelled_h100_is_the_worked_example():
    cost = h100()
    assert cost.fixed == pytest.approx(4.8e-3, rel=0.01), "the weights, read once a step"
    assert cost.key * 3.35e12 == pytest.approx(131_072), "bytes of KV a token"
    assert H100_BLOCKS * 16 // 2048 == 197, "sequences of 2 K"
