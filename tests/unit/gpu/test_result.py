"""The result's files: a dry run never passes for a measurement."""

import json

import pytest

from constraintlab.gpu.__main__ import arguments, folder
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
