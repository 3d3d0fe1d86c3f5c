"""Single parts: what a tool's output means, what a missing package is called, counted work."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import pytest

from constraintlab.bench.report import Report
from constraintlab.gpu import known_work, packages
from constraintlab.gpu.here import Here, Unavailable
from constraintlab.gpu.parts import ablation, sanitizer, telemetry, tests
from constraintlab.gpu.watched import SETTLED, Watched, repeated
from constraintlab.telemetry.sample import Sample


def here(tmp_path, device="cpu", results=()):
    return Here(device, tmp_path, tmp_path, 60.0, results)


def test_memcheck_s_summary_is_what_counts():
    clean = sanitizer.told("========= ERROR SUMMARY: 0 errors\n", 0)
    assert clean.results[0]["value"] == 0 and clean.skipped == []
    found = sanitizer.told("=== Invalid __global__ read\n=== ERROR SUMMARY: 3 errors\n", 9)
    assert found.results[0]["value"] == 3 and found.skipped[0]["metric"] == "failed"
    with pytest.raises(RuntimeError, match="no summary"):
        sanitizer.told("could not attach", 1)


def test_without_the_sanitizer_the_part_says_where_it_comes_from(monkeypatch, tmp_path):
    monkeypatch.setattr(sanitizer.shutil, "which", lambda name: None)
    monkeypatch.setattr(sanitizer, "USUAL", tmp_path / "none")
    with pytest.raises(Unavailable, match="CUDA toolkit"):
        sanitizer.tool()
    with pytest.raises(Unavailable, match="no NVIDIA GPU here; it would launch fused, flash"):
        sanitizer.run(here(tmp_path), print)


CASES = """<testsuite>
<testcase classname="a" name="passes"/>
<testcase classname="a" name="left"><skipped message="no NVIDIA GPU here"/></testcase>
<testcase classname="a" name="other"><skipped message="no NVIDIA GPU here"/></testcase>
{more}</testsuite>"""


@pytest.mark.parametrize("tag", ["failure", "error"])
def test_tests_are_counted_and_one_that_fails_fails_the_part(tag):
    report = Report("gpu tests", {})
    more = f'<testcase classname="a" name="wrong"><{tag} message="assert 1 == 2"/></testcase>'
    tests._tell(report, ET.fromstring(CASES.format(more=more)).iter("testcase"))
    assert [r["value"] for r in report.results] == [1, 1, 2]
    told = {row["metric"]: row["reason"] for row in report.skipped}
    assert told["2 tests"].startswith("no NVIDIA GPU here") and "a::wrong" in told["failed"]


def test_a_run_without_failures_names_none():
    report = Report("gpu tests", {})
    tests._tell(report, ET.fromstring(CASES.format(more="")).iter("testcase"))
    assert "failed" not in {row["metric"] for row in report.skipped}


def test_missing_packages_are_named_with_what_brings_them(monkeypatch, tmp_path):
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    assert "httptools" in packages.lacking() and "make gpu-packages" in packages.lacking()
    monkeypatch.setattr(packages, "find_spec", lambda name: True)
    assert packages.lacking() == ""


def test_carried_packages_come_behind_the_machine_s_own_in_every_python(monkeypatch, tmp_path):
    monkeypatch.setattr(packages.sys, "path", ["a"])
    packages.carry(tmp_path, tmp_path / "none")
    assert packages.sys.path == ["a"]
    carried, scratch = tmp_path / "carried", tmp_path / "scratch"
    for folder in (carried, scratch):
        folder.mkdir()
    (carried / "only_carried.py").write_text("")
    (carried / "pytest.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", "lib")
    packages.carry(scratch, carried)
    assert packages.sys.path == ["a", str(carried)]
    code = "import only_carried, pytest; print(only_carried.__file__); print(pytest.__file__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    only, both = done.stdout.split()
    assert only.startswith(str(carried)) and not both.startswith(str(carried))


def test_known_work_is_what_a_pencil_says():
    assert known_work.copy("cpu", 1024).bytes == 2048
    assert known_work.product("cpu", 16, "float32").flops == 2 * 16**3
    # the causal mask keeps 1 + 2 + 3 + 4 scores a head; two products of 2·D FLOPs each
    assert known_work.attention("cpu", "naive", 4, heads=2, dim=8).flops == 2 * 10 * 4 * 8
    known_work.attention("cpu", "flash", 4, heads=2, dim=8).call()


def samples(*values):
    name = "gpu.dram_active"
    said = [(v, "measured" if v else "n/a: no") for v in values]
    return tuple(Sample(SETTLED + i, {name: v}, {name: s}) for i, (v, s) in enumerate(said))


def test_a_counter_over_what_was_counted_is_one_where_they_agree():
    report = Report("t", {})
    seen = Watched(10.0, samples(80.0, None, 90.0, 85.0))
    telemetry._over(report, "m", seen, "dram_active", 4e12, "", 3.4e12, "a copy")
    assert report.results[0]["value"] == pytest.approx(1.0)


def test_a_counter_that_is_absent_gives_its_reason_and_no_figure():
    report = Report("t", {})
    seen = Watched(10.0, samples(None, None))
    telemetry._over(report, "m", seen, "dram_active", 4e12, "", 3.4e12, "a copy")
    telemetry._over(
        report, "n", Watched(1.0, samples(50.0)), "dram_active", None, "no clock", 1, ""
    )
    assert report.results == []
    assert [(s["metric"], s["reason"]) for s in report.skipped] == [("m", "no"), ("n", "no clock")]


def test_calls_are_counted_until_the_device_has_finished_them():
    log, now = [], iter(range(100))
    done, seconds = repeated(
        lambda: log.append("call"), 3, lambda: log.append("wait"), lambda: next(now)
    )
    assert log.count("call") == done and log[-1] == "wait" and done % 8 == 0
    assert seconds >= 3


def test_an_earlier_part_s_figure_is_found_by_its_name(tmp_path):
    rows = ({"metric": "probed_compute_bfloat16", "value": 7.0},)
    assert here(tmp_path, results=rows).value("probed_compute_bfloat16") == 7.0
    assert here(tmp_path).value("probed_compute_bfloat16") is None


def test_the_ablation_repeats_its_rounds_only_where_they_fit():
    assert ablation.enough(20.0, 170.0) == ablation.ROUNDS
    assert ablation.enough(50.0, 140.0) == 2 and ablation.enough(100.0, 90.0) == 0


def test_the_ablation_s_first_round_counts_where_no_more_fit(monkeypatch, tmp_path):
    asked = []

    class Bench:
        @staticmethod
        def run(rounds, device, say):
            asked.append((rounds, device))
            return Report(f"rounds {rounds}", {})

    monkeypatch.setattr(ablation, "find_spec", lambda name: True)
    monkeypatch.setattr(ablation, "import_module", lambda name: Bench)
    assert ablation.run(here(tmp_path), print).bench == "rounds 1" and asked == [(1, "cpu")]
    assert ablation.run(here(tmp_path, "cuda"), print).bench == "rounds 3"
    monkeypatch.setattr(ablation, "find_spec", lambda name: None)
    with pytest.raises(Unavailable, match="in this version"):
        ablation.run(here(tmp_path), print)


def test_shards_of_the_tests_are_all_of_them_and_none_twice(monkeypatch):
    from tests.gpu.conftest import SHARD, pytest_collection_modifyitems

    assert SHARD == tests.SHARD
    config, gone = SimpleNamespace(), []
    config.hook = SimpleNamespace(pytest_deselected=lambda items: gone.extend(items))
    for many in (0, 1, 7, 100):
        seen = []
        for number in range(8):
            monkeypatch.setenv(SHARD, f"{number}/8")
            items = list(range(many))
            gone.clear()
            pytest_collection_modifyitems(config, items)
            assert sorted([*items, *gone]) == list(range(many))
            assert many // 8 <= len(items) <= many // 8 + 1
            seen += items
        assert seen == list(range(many))


def test_several_shards_run_side_by_side_and_one_that_dies_fails_the_part(monkeypatch, tmp_path):
    """A pytest that leaves results for its shard; the third has none and says nothing."""
    code = (
        "import os, sys; n = os.environ['CONSTRAINTLAB_GPU_SHARD'].split('/')[0]\n"
        "path = [w for w in sys.argv if w.startswith('--junitxml=')][0].split('=')[1]\n"
        "case = '<testsuite><testcase classname=\"a\" name=\"' + n + '\"/></testsuite>'\n"
        "n == '2' and os.abort()\n"
        "open(path, 'w').write(case)\n"
    )
    fake = tmp_path / "pytest.py"
    fake.write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(tests.cgroup, "cores", lambda: 6.0)
    report = tests.run(here(tmp_path, "cuda"), lambda line: None)
    assert {r["metric"]: r["value"] for r in report.results}["tests_passed"] == 2
    (failed,) = [s["reason"] for s in report.skipped if s["metric"] == "failed"]
    assert "shard 2 of 3" in failed
