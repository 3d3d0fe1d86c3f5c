"""Progress: two writers lose nothing, a damaged file is kept."""

import json
import multiprocessing

import pytest

from constraintlab.course.progress import Progress


def _write(path, lab):
    progress = Progress(path, say=lambda line: None)
    for i in range(40):
        progress.put(lab, "predictions", f"q{i}", "x")


def test_what_was_put_is_read_back_by_another_instance(tmp_path):
    path = tmp_path / "progress.json"
    Progress(path).put("01", "predictions", "binds", "compute")
    assert Progress(path).lab("01") == {"predictions": {"binds": "compute"}}
    assert Progress(path).lab("02") == {}


def test_two_notebooks_at_once_lose_nothing(tmp_path):
    path = tmp_path / "progress.json"
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_write, args=(path, lab)) for lab in ("00", "01")]
    for w in writers:
        w.start()
    for w in writers:
        w.join()
        assert w.exitcode == 0
    for lab in ("00", "01"):
        assert len(Progress(path).lab(lab)["predictions"]) == 40


def test_a_damaged_file_is_set_aside_and_named(tmp_path):
    path, said = tmp_path / "progress.json", []
    path.write_text('{"version": 1, "labs": {"00"')
    progress = Progress(path, said.append)
    progress.put("00", "strip", "cell", {"note": "limits known"})
    aside = list(tmp_path.glob("progress.unreadable-*.json"))
    assert len(aside) == 1 and aside[0].read_text().endswith('{"00"')
    assert aside[0].name in said[0]
    assert progress.lab("00")["strip"]["cell"] == {"note": "limits known"}


def test_an_unknown_version_is_kept_not_overwritten(tmp_path):
    path, said = tmp_path / "progress.json", []
    path.write_text(json.dumps({"version": 99, "labs": {"00": {}}}))
    Progress(path, said.append).put("01", "a", "b", 1)
    assert "version 99" in said[0] and list(tmp_path.glob("progress.unreadable-*"))


@pytest.mark.parametrize("labs", [{"00": []}, {"00": {"strip": 3}}])
def test_a_file_of_the_wrong_shape_is_set_aside(tmp_path, labs):
    path, said = tmp_path / "progress.json", []
    path.write_text(json.dumps({"version": 1, "labs": labs}))
    assert Progress(path, said.append).lab("00") == {} and "lab 00" in said[0]


def test_a_folder_in_the_file_s_place_is_set_aside(tmp_path):
    path = tmp_path / "progress.json"
    path.mkdir()
    Progress(path, say=lambda line: None).put("00", "strip", "cell", {"note": "x"})
    assert Progress(path).lab("00")["strip"]["cell"] == {"note": "x"}
