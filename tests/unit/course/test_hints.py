"""Hints: one further each time, kept, for every exercise, and none that is the answer itself."""

import ast

import pytest

from constraintlab.course.check import names
from constraintlab.course.hints import HINTS, hint
from constraintlab.course.lab import Lab
from constraintlab.course.progress import Progress
from tests.labs.meta import ROOT, calls, code
from tests.labs.test_meta import load


@pytest.fixture
def progress(tmp_path):
    return Progress(tmp_path / "progress.json")


def test_every_checker_has_two_or_three_hints_and_nothing_else_has_any():
    assert set(HINTS) == set(names())
    for name, hints in HINTS.items():
        assert 2 <= len(hints) <= 3, name
        assert all(40 < len(text) < 420 for text in hints), name
        assert len(set(hints)) == len(hints)


def test_each_call_gives_one_more_until_there_is_none(progress):
    seen = [str(hint(progress, "00", "binding_side")) for _ in range(5)]
    assert [text.count("hint ") for text in seen] == [1, 2, 3, 3, 3]
    assert "for the next" in seen[0] and "labs/solutions" in seen[2]
    assert seen[2].startswith(seen[0].split("\n")[0]), "those before stay in sight"
    assert seen[2] == seen[4]


def test_how_far_it_went_outlives_a_restart(progress):
    Lab("01", progress).hint("score_peak")
    again = Lab("01", Progress(progress.path)).hint("score_peak")
    assert len(again.seen) == 2
    assert progress.lab("01")["hints"] == {"score_peak": 2}


@pytest.mark.parametrize("odd", [-4, "two", None, [1], 99])
def test_a_stage_that_makes_no_sense_is_no_error(progress, odd):
    progress.put("01", "hints", "score_peak", odd)
    assert 1 <= len(hint(progress, "01", "score_peak").seen) <= 3


def test_a_wrong_name_names_the_right_one(progress):
    with pytest.raises(ValueError, match="use 'score_peak'"):
        hint(progress, "01", "peak")
    with pytest.raises(ValueError, match="no exercise"):
        hint(progress, "55", "peak")
    assert progress.lab("01") == {}


def test_text_and_html_say_the_same(progress):
    shown = hint(progress, "05", "share")
    html = shown._repr_html_()
    assert shown.seen[0].split("?")[0] in html and "Hint 1 of 3" in html


@pytest.mark.parametrize("path", sorted((ROOT / "labs").glob("*.ipynb")), ids=lambda p: p.stem)
def test_each_lab_says_how_to_get_a_hint_for_its_exercise(path):
    notebook = load(path)
    prose = "".join("".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "markdown")
    for name in {name for _, cell in code(notebook) for name in calls(cell, "check")}:
        assert f'lab.hint("{name}")' in prose


@pytest.mark.parametrize("name", HINTS)
def test_no_hint_is_what_the_solution_returns(name):
    """The last is nearly the answer, and still has to be understood."""
    number, _ = name.split(".")
    (path,) = (ROOT / "labs" / "solutions").glob(f"{number}_*.ipynb")
    for _, cell in code(load(path)):
        for node in ast.walk(ast.parse("".join(cell["source"]))):
            value = ast.unparse(node.value) if isinstance(node, ast.Return) and node.value else ""
            assert len(value) < 12 or all(value not in text for text in HINTS[name])
