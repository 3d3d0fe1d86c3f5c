"""`bench paged` on small caches: which metrics it gives, and against whom."""

import pytest

from constraintlab.attention import paged as rung
from constraintlab.attention.rung import Availability
from constraintlab.bench import paged
from constraintlab.limits.probes import memory


def small(monkeypatch):
    monkeypatch.setattr(paged, "BEYOND", 1)
    monkeypatch.setattr(memory, "read_size", lambda available: 1 << 20)
    monkeypatch.setattr(paged.Case, "__init__", _small(paged.Case.__init__))


def _small(made):
    def init(self, *args, **options):
        options["batch"], options["length"] = 2, 64
        made(self, *args, **options)

    return init


@pytest.mark.long
def test_every_metric_of_the_design_is_there_and_the_fastest_peer_counts(monkeypatch):
    small(monkeypatch)
    report = paged.run(rounds=3)
    found = {r["metric"]: r for r in report.results}
    for metric in ("paged_over_gather", "paged_over_contiguous_sdpa"):
        others = [r["value"] for name, r in found.items() if name.startswith(f"{metric}_")]
        assert others and all(found[metric]["value"] <= v for v in others)
    assert found["paged_bandwidth_share"]["value"] > 0 and report.skipped == []
    assert "paged_over_gather_gather_one_by_one" in found or (
        "paged_over_gather_gather_all_at_once" in found
    )


def test_bytes_of_a_step_are_those_within_the_window():
    case = paged.Case(batch=2, length=100, kv_heads=3, dim=8)
    assert case.kv_bytes == 2 * 2 * 100 * 3 * 8 * 4
    assert paged.Case(batch=2, length=100, kv_heads=3, dim=8, window=10).kv_bytes == 960 * 4


def test_without_a_kernel_every_metric_is_skipped_with_the_reason(monkeypatch):
    none = Availability(True, rung.GATHER, "numba: numba is not installed")
    monkeypatch.setattr(rung, "availability", lambda device="cpu": none)
    report = paged.run(rounds=3)
    assert report.results == [] and len(report.skipped) == 3
    assert all("numba is not installed" in s["reason"] for s in report.skipped)
