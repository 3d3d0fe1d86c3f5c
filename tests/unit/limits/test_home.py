"""The home folder: where it is, and what happens when it can't be written."""

import os

import pytest

from constraintlab.limits import home as module
from constraintlab.limits.estimate import Estimate


@pytest.fixture(autouse=True)
def forget():
    module._resolve.cache_clear()
    yield
    module._resolve.cache_clear()


def test_the_variable_decides(tmp_path, monkeypatch):
    monkeypatch.setenv("CONSTRAINTLAB_HOME", str(tmp_path / "here"))
    assert module.home().path == tmp_path / "here" and module.home().note is None


def test_a_folder_that_cannot_be_made_falls_back_and_says_so(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CONSTRAINTLAB_HOME", str(tmp_path / "file" / "below"))
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: str(tmp_path))
    found = module.home()
    assert found.path.parent == tmp_path and os.access(found.path, os.W_OK)
    assert "CONSTRAINTLAB_HOME" in found.note


def test_a_file_in_the_fallback_s_place_is_left_alone(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CONSTRAINTLAB_HOME", str(tmp_path / "file" / "below"))
    monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path))
    taken = tmp_path / f"constraintlab-{module._user()}"
    taken.write_text("mine")
    found = module.home()
    assert found.path.is_dir() and found.path != taken and taken.read_text() == "mine"


def test_a_fallback_for_a_user_without_a_name(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CONSTRAINTLAB_HOME", str(tmp_path / "file" / "below"))
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: str(tmp_path))

    def nobody():
        raise KeyError("uid not found")

    monkeypatch.setattr(module.getpass, "getuser", nobody)
    assert module.home().path.is_dir()


def test_estimates_refuse_unknown_sources_and_absurd_spreads():
    with pytest.raises(ValueError, match="measured, counted"):
        Estimate(1, 1, 1, "s", "guessed")
    with pytest.raises(ValueError, match="outside"):
        Estimate(3, 1, 2, "s")
    assert Estimate.of([3, 1, 2], "s") == Estimate(2, 1, 3, "s")
    assert Estimate.from_dict(Estimate.absent("s", "why").as_dict()).missing
