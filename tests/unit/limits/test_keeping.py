"""A file that is kept is whole, whoever writes it, and whatever fails."""

import stat
import threading

import pytest

from constraintlab.limits import keeping
from constraintlab.limits.keeping import locked, write


def test_what_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "kept.json"
    write(path, "before")

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(keeping.os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        write(path, "after")
    assert path.read_text() == "before" and [p.name for p in tmp_path.iterdir()] == ["kept.json"]


def test_a_file_may_be_its_user_s_alone(tmp_path):
    write(tmp_path / "own", "é", 0o600)
    assert stat.S_IMODE((tmp_path / "own").stat().st_mode) & 0o077 == 0
    assert (tmp_path / "own").read_text(encoding="utf-8") == "é"


def test_only_one_at_a_time_changes_a_file(tmp_path):
    path = tmp_path / "new folder" / "count"

    def count():
        for _ in range(50):
            with locked(path):
                write(path, str(int(path.read_text()) + 1 if path.exists() else 1))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert path.read_text() == "200"


def test_what_a_killed_writer_left_is_cleared(tmp_path):
    (tmp_path / "kept.json.999.part").write_text("hal")
    (tmp_path / "other.json.999.part").write_text("hal")
    with locked(tmp_path / "kept.json"):
        pass
    assert {p.name for p in tmp_path.iterdir()} == {"kept.lock", "other.json.999.part"}
