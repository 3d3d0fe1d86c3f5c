"""Progress: two writers lose nothing, a damaged file is kept."""

import json
import multiprocessing
import os
import signal
import time

import pytest

from constraintlab.course.progress import Progress


def _write(path, lab):
    progress = Progress(path, say=lambda line: None)
    for i in range(40):
        progress.put(lab, "predictions", f"q{i}", "x")


def _count(path, times):
    """Two notebooks that change the same value, not one beside the other's."""
    progress = Progress(path, say=lambda line: None)
    for _ in range(times):
        progress.change("00", "hints", "share", lambda n: (n or 0) + 1)


def _write_for_ever(path):
    """Large, so that a kill meets it in mid-write; i is never to go back."""
    progress, i = Progress(path), 0
    while True:
        i += 1
        progress.put("00", "runs", "i", {"i": i, "padding": "x" * 2_000_000})


def _blocked(path):
    """Stops for ever in mid-write: half of the new file is there, and the lock is held."""
    progress = Progress(path)

    def half(whole):
        path.with_name(f"{path.name}.{os.getpid()}.part").write_text(json.dumps(whole)[:40])
        while True:
            time.sleep(1)

    progress._write = half
    progress.put("00", "runs", "lost", 1)


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


def test_two_that_change_the_same_value_lose_nothing(tmp_path):
    path = tmp_path / "progress.json"
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_count, args=(path, 40)) for _ in range(2)]
    for w in writers:
        w.start()
    for w in writers:
        w.join()
        assert w.exitcode == 0
    assert Progress(path).lab("00")["hints"] == {"share": 80}


def _until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "nothing was written"
        time.sleep(0.01)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL")
def test_a_kernel_that_is_killed_leaves_the_file_as_it_was(tmp_path):
    """kill -9 again and again, wherever it happens to be: the file is whole, and goes on."""
    path, said = tmp_path / "progress.json", []
    spawn = multiprocessing.get_context("spawn")
    for _ in range(3):
        kernel = spawn.Process(target=_write_for_ever, args=(path,))
        before = path.stat().st_mtime_ns if path.exists() else 0
        kernel.start()
        _until(lambda before=before: path.exists() and path.stat().st_mtime_ns > before)
        os.kill(kernel.pid, signal.SIGKILL)
        kernel.join()
        kept = Progress(path, said.append).lab("00")["runs"]["i"]
        assert kept["i"] >= 1 and len(kept["padding"]) == 2_000_000
    assert said == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL")
def test_a_kernel_killed_in_mid_write_blocks_nobody_and_leaves_nothing(tmp_path):
    path = tmp_path / "progress.json"
    Progress(path).put("00", "runs", "kept", 1)
    kernel = multiprocessing.get_context("spawn").Process(target=_blocked, args=(path,))
    kernel.start()
    _until(lambda: list(tmp_path.glob("*.part")))
    os.kill(kernel.pid, signal.SIGKILL)
    kernel.join()
    assert Progress(path).lab("00")["runs"] == {"kept": 1}
    Progress(path).put("00", "runs", "next", 2)
    assert Progress(path).lab("00")["runs"] == {"kept": 1, "next": 2}
    assert not list(tmp_path.glob("*.part"))


def test_the_first_that_is_kept_stays(tmp_path):
    progress = Progress(tmp_path / "progress.json")
    for value in ("first", "second"):
        progress.first("00", "reveals", "busy", value)
    assert progress.labs() == {"00": {"reveals": {"busy": "first"}}}


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
