"""Reset: what goes is told before, a copy stays, and nothing else is touched."""

import json

import pytest

from constraintlab.course import reset
from constraintlab.course.progress import Progress
from tests.unit.course.learner import learn


@pytest.fixture
def progress(tmp_path):
    progress = Progress(tmp_path / "progress.json")
    learn(progress)
    return progress


def never(question):
    pytest.fail(f"it asked {question!r}")


def test_it_asks_and_tells_what_would_go(progress, capsys):
    before, asked = progress.labs(), []
    assert reset.main("1", False, lambda q: asked.append(q) or False, progress) == 1
    said = capsys.readouterr().out
    assert "lab 01, Naive attention: 2 predictions, 2 runs, 2 fixes, 1 exercise, 1 hint" in said
    assert len(asked) == 1 and progress.labs() == before and "Nothing was changed" in said


@pytest.mark.parametrize(
    ("which", "left"),
    [("1", {"00", "03", "transfer"}), ("01", {"00", "03", "transfer"}), ("all", set()),
     ("transfer", {"00", "01", "03"})],
)  # fmt: skip
def test_what_is_named_goes_and_a_copy_stays(progress, capsys, which, left):
    before = progress.labs()
    assert reset.main(which, True, never, progress) == 0
    assert set(progress.labs()) == left
    assert all(progress.labs()[lab] == before[lab] for lab in left)
    (backup,) = progress.path.parent.glob("progress.before-reset-*.json")
    assert json.loads(backup.read_text())["labs"] == before
    said = capsys.readouterr().out
    assert str(backup) in said
    backup.replace(progress.path)
    assert progress.labs() == before, "the copy is good as it is"


def test_yes_to_the_question_is_enough(progress):
    assert reset.main("3", False, lambda q: True, progress) == 0
    assert "03" not in progress.labs()


@pytest.mark.parametrize("which", ["9", "99", "-1", "one", "", "lab01"])
def test_a_lab_that_is_none_is_named(progress, capsys, which):
    assert reset.main(which, True, never, progress) == 2
    out, err = capsys.readouterr()
    assert repr(which) in err and "00 to 08" in err and out == ""


@pytest.mark.parametrize("which", ["2", "all"])
def test_nothing_kept_is_nothing_done(tmp_path, capsys, which):
    empty = Progress(tmp_path / "progress.json")
    assert reset.main(which, False, never, empty) == 0
    assert "Nothing is kept" in capsys.readouterr().out and list(tmp_path.glob("*.json")) == []
