"""The result's files: a dry run never passes for a measurement."""

import json

import pytest

from constraintlab.gpu.__main__ import arguments, earlier, folder
from constraintlab.gpu.here import DRY
from constraintlab.gpu.result import DRY_NAME, NAME, Result, load


def test_a_dry_run_has_a_file_and_a_folder_of_its_own(monkeypatch, tmp_path):
    monkeypatch.delenv("OUT", raising=False)
    assert folder(None, False) != folder(None, True)
    monkeypatch.setenv("OUT", str(tmp_path))
    assert folder(None, False) == tmp_path and folder(None, True) == tmp_path / "dry-run"
    assert folder("there", True).parts == ("there", "dry-run")
    for dry, name in ((True, DRY_NAME), (False, NAME)):
        path = Result(tmp_path, {"gpu": "H200"}, dry).write()
        assert path.name == name
    assert json.loads((tmp_path / DRY_NAME).read_text())["label"] == DRY
    assert json.loads((tmp_path / NAME).read_text())["label"] == "measured on H200"
    assert (tmp_path / "gpu.log").read_text().startswith("measured on H200")


def test_a_dry_run_is_refused_also_under_the_other_name(tmp_path):
    path = Result(tmp_path, {}, True).write()
    with pytest.raises(ValueError, match="dry run"):
        load(path.rename(tmp_path / NAME))


def test_another_file_is_refused(tmp_path):
    path = tmp_path / NAME
    path.write_text(json.dumps({"bench": "paged", "results": []}))
    with pytest.raises(ValueError, match="no result of `make gpu`"):
        load(path)


def test_a_report_s_rows_are_marked_and_its_machine_is_added(tmp_path):
    result = Result(tmp_path, {"gpu": "H200"}, False)
    told = {
        "machine": {"backend_flash": "sdpa", "gpu": "no"},
        "results": [{"metric": "a", "value": 1.0}],
        "skipped": [{"metric": "b", "reason": "c"}],
    }
    result.take("doctor", 2.0, told)
    assert result.results == [{"part": "doctor", "metric": "a", "value": 1.0}]
    assert result.skipped == [{"part": "doctor", "metric": "b", "reason": "c"}]
    assert result.machine == {"backend_flash": "sdpa", "gpu": "H200"}
    assert load(result.write())["results"] == result.results


def test_a_number_that_json_has_no_word_for_leaves_the_file_as_it_was(tmp_path):
    result = Result(tmp_path, {}, False)
    before = result.write().read_text()
    result.results.append({"metric": "a", "value": float("nan")})
    with pytest.raises(ValueError):
        result.write()
    assert (tmp_path / NAME).read_text() == before


def test_parts_are_named_and_a_wrong_one_is_refused(capsys):
    assert arguments([]).only is None
    assert arguments(["--only", "tests", "--only", "paged"]).only == ["tests", "paged"]
    with pytest.raises(SystemExit):
        arguments(["--only", "nope"])
    assert "recordings" in capsys.readouterr().err


def told(result, name, metric):
    rows = [{"metric": metric, "value": 1.0}]
    result.take(name, 1.0, {"machine": {}, "results": rows, "skipped": []})


def test_a_part_that_runs_again_replaces_itself_and_keeps_the_others(tmp_path):
    machine = {"gpu": "H200", "driver": "580", "torch": "2.11"}
    first = Result(tmp_path, machine, False, "2026-01-01")
    told(first, "doctor", "a")
    told(first, "paged", "b")
    path = first.write()
    second = Result(tmp_path, machine, False, "2026-01-02")
    second.go_on_from(path, ["paged"])
    told(second, "paged", "c")
    assert [r["metric"] for r in second.results] == ["a", "c"]
    assert [(p.part, p.date) for p in second.parts] == [
        ("doctor", "2026-01-01"), ("paged", "2026-01-02"),
    ]  # fmt: skip


@pytest.mark.parametrize("what", ["gpu", "driver", "torch"])
def test_another_machine_s_file_is_not_gone_on_from(tmp_path, what):
    machine = {"gpu": "H200", "driver": "580", "torch": "2.11"}
    path = Result(tmp_path, machine, False).write()
    with pytest.raises(ValueError, match=f"is of {what} "):
        Result(tmp_path, machine | {what: "other"}, False).go_on_from(path, [])


def test_a_dry_run_is_not_gone_on_from_in_a_real_run(tmp_path):
    path = Result(tmp_path, {}, True).write()
    with pytest.raises(ValueError, match="dry run"):
        Result(tmp_path, {}, False).go_on_from(path, [])


def test_with_only_what_lies_in_the_folder_is_kept_and_else_nothing(tmp_path):
    result = Result(tmp_path, {}, False)
    assert earlier(arguments(["--only", "paged"]), result) is None
    path = result.write()
    assert earlier(arguments(["--only", "paged"]), result) == path
    assert earlier(arguments([]), result) is None
    assert earlier(arguments(["--onto", "x.json"]), result).name == "x.json"
