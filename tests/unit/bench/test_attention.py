"""`bench attention` on small prompts: which metrics it gives, and what a failing trial says."""

import pytest

from constraintlab.bench import attention


@pytest.fixture
def small(monkeypatch):
    raced = attention.race

    def race(tokens, dtype, rounds, only=(), **options):
        return raced(tokens // 32, dtype, 3, only, **options)

    monkeypatch.setattr(attention, "race", race)


def test_every_metric_of_the_design_is_there(small, monkeypatch):
    answers = iter([[3.0, 3.1, 3.2], [[2.0, 2.0, 2.1], [60.0, 61.0, 62.0]]])
    monkeypatch.setattr(attention, "_child", lambda code, environment: next(answers))
    report = attention.run(rounds=3)
    found = {r["metric"]: r["value"] for r in report.results}
    assert found.keys() >= {
        "naive_over_flash_s4096", "naive_workspace_over_flash_s4096", "naive_over_fused_s1024",
        "fused_extra_memory_share", "own_flash_over_sdpa_fp32", "own_flash_over_sdpa_bf16",
    }  # fmt: skip
    assert min(found.values()) > 0 and report.skipped == []
    assert found["naive_over_flash_s4096_huge_pages"] == 3.1
    assert found["fused_extra_memory_share"] == pytest.approx(2.0 / 61.0, rel=0.05)


def test_a_trial_that_fails_is_skipped_with_its_last_words(small, monkeypatch):
    def child(code, environment):
        raise RuntimeError("the trial process failed: MemoryError")

    monkeypatch.setattr(attention, "_child", child)
    skipped = {s["metric"]: s["reason"] for s in attention.run(rounds=3).skipped}
    assert set(skipped) == {"naive_over_flash_s4096_huge_pages", "fused_extra_memory_share"}
    assert all("MemoryError" in reason for reason in skipped.values())


def test_a_child_that_ends_badly_raises_with_what_it_said():
    with pytest.raises(RuntimeError, match="gone wrong"):
        attention._child("raise SystemExit('gone wrong')", {})
    assert attention._child("import os; print(os.environ['A'])", {"A": "[1]"}) == [1]
