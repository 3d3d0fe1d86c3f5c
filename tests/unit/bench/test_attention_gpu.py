"""The GPU's attention bench on a CPU at tiny sizes; and its tiles through the x-ray."""

import pytest

from constraintlab.attention import flash_library
from constraintlab.attention.xray import target_of, xrays
from constraintlab.bench import attention_gpu, attention_tiles
from constraintlab.bench.device_clock import DeviceClock
from constraintlab.course.measure import Rounds, interleave


def test_every_row_has_ours_over_the_best_library_and_the_rungs_beside_it():
    report = attention_gpu.run(3, device="cpu", sizes=attention_gpu.TINY)
    found = {r["metric"]: r for r in report.results}
    for length in attention_gpu.TINY.lengths:
        row = found[f"own_flash_over_best_d64_s{length}"]
        assert row["value"] > 0 and "over sdpa flash" in row["context"]
        for rung in ("naive", "fused"):
            assert found[f"{rung}_over_own_flash_d64_s{length}"]["value"] > 0
    worst = found["own_flash_over_best_worst"]["value"]
    assert worst == min(r["value"] for m, r in found.items() if "_best_d64" in m)
    skipped = {s["metric"]: s["reason"] for s in report.skipped}
    assert "no NVIDIA GPU here" in skipped["flash_attn_d64_s64"]
    assert "no NVIDIA GPU here" in skipped["tuned_tile_over_default_d64"]


def test_a_library_that_raises_is_left_out_with_what_it_said(monkeypatch):
    def broken(*args, **options):
        raise OSError("built for another CUDA")

    monkeypatch.setattr(flash_library, "lacks", lambda shape: "")
    monkeypatch.setattr(flash_library, "attend", broken)
    report = attention_gpu.run(3, device="cpu", sizes=attention_gpu.TINY)
    why = {s["metric"]: s["reason"] for s in report.skipped}["flash_attn_d64_s64"]
    assert why == "OSError: built for another CUDA"
    assert any(r["metric"].startswith("own_flash_over_best_d64") for r in report.results)


def test_without_a_library_there_is_no_ratio_and_a_reason(monkeypatch):
    monkeypatch.setattr(attention_gpu, "peers", lambda shape: ({}, {"sdpa flash": "not here"}))
    report = attention_gpu.run(3, device="cpu", sizes=attention_gpu.TINY)
    assert not any("own_flash_over_best" in r["metric"] for r in report.results)
    skipped = {s["metric"]: s["reason"] for s in report.skipped}
    assert skipped["sdpa_flash_d64_s64"] == "not here" and "own_flash_over_best_d64_s64" in skipped


def test_the_fastest_library_of_this_run_counts_and_no_rung_of_ours(monkeypatch):
    took = {"own": 2.0, "sdpa flash": 1.5, "other": 1.2, "naive": 0.1, "fused": 0.1}
    real = attention_gpu.peers

    def peers(shape):
        found, why = real(shape)
        return found | {"other": found["sdpa flash"]}, why

    monkeypatch.setattr(attention_gpu, "peers", peers)
    monkeypatch.setattr(
        attention_gpu, "interleave", lambda ready, **_: Rounds({n: (took[n],) * 3 for n in ready})
    )
    report = attention_gpu.run(3, device="cpu", sizes=attention_gpu.TINY)
    found = {r["metric"]: r["value"] for r in report.results}
    assert found["own_flash_over_best_d64_s64"] == pytest.approx(1.2 / 2.0)
    assert found["own_flash_over_sdpa_flash_d64_s64"] == pytest.approx(1.5 / 2.0)
    assert found["naive_over_own_flash_d64_s64"] == pytest.approx(0.1 / 2.0)


def test_as_many_tokens_and_values_whatever_the_length_and_the_head_size():
    sizes = attention_gpu.FULL
    for dim in sizes.dims:
        for length in sizes.lengths:
            shape = attention_gpu.problem(sizes, dim, length, "cpu")
            assert shape.tokens == sizes.tokens and shape.heads * dim == sizes.width


def test_textbook_attention_that_does_not_fit_is_left_out():
    shape = attention_gpu.problem(attention_gpu.FULL, 64, 16384, "cpu")
    found, why = attention_gpu.beside(shape, free=8 * 10**9)
    assert "naive" not in found and "8 GB are free" in why["naive"]


def test_a_clock_of_one_s_own_times_each_call():
    clock = DeviceClock("cpu")
    assert clock.lap(lambda: None) >= 0
    seen = interleave({"a": lambda: None, "b": lambda: None}, rounds=3, lap=lambda call: 2.0)
    assert seen.seconds == {"a": (2.0,) * 3, "b": (2.0,) * 3}


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("dim", attention_tiles.CANDIDATES)
def test_no_candidate_spills_on_hopper_and_all_use_its_matrix_instructions(dim):
    targets = [
        target_of("flash", "bfloat16", dim, queries=q, keys=k, warps=w, stages=s)
        for q, k, w, s in attention_tiles.CANDIDATES[dim]
    ]
    for x in xrays([(target, "sm_90") for target in targets]):
        assert x.fits and x.spill_bytes == 0 and "HGMMA" in x.matrix and not x.warnings
