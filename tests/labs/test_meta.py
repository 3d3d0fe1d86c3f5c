"""The notebooks' checks: each on a planted bad notebook and a good one, and all on our labs."""

import ast
import copy
import json

import pytest

from constraintlab.course import exercises as exercises  # registers the checkers
from constraintlab.course.check import check, names
from tests.labs import meta

LABS = sorted((meta.ROOT / "labs").glob("*.ipynb"))
SOLUTIONS = sorted((meta.ROOT / "labs" / "solutions").glob("*.ipynb"))
EVERY = {f"{p.parent.name}/{p.name}": p for p in (*LABS, *SOLUTIONS)}


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def said(text, **data):
    """A stored execute_result."""
    return {"output_type": "execute_result", "data": {"text/plain": text, **data}}


def cell(text, *outputs, tags=(), count=1):
    metadata = {"tags": list(tags)} if tags else {}
    return {"cell_type": "code", "source": text, "metadata": metadata, "outputs": list(outputs),
            "execution_count": count}  # fmt: skip


PREDICT, RUN, REVEAL, EXERCISE, CLAIM = range(5)


@pytest.fixture
def good():
    """A small notebook that owes its reader nothing."""
    held = {"output_type": "stream", "name": "stdout", "text": ["holds: 1 < 2\n"]}
    return {
        "metadata": {"kernelspec": {"name": "python3"}, "language_info": {"name": "python"}},
        "cells": [
            cell('lab.predict("busy", "?", ["a", "b"])', said("Predict. ?")),
            cell('%time\nrun = stage.run("x", call)', said("12 GB/s, 3 FLOP/byte, v1/models")),
            cell('lab.reveal("busy", "a", "because")', said("measured: a")),
            cell('def f(): ...\nlab.check("f", f)', said("✗ not yet"), tags=["exercise"]),
            cell('lab.claim("1 < 2", 1 < 2)', held, tags=["nbval-check-output"]),
        ],
    }


def broken(notebook, place, **changed):
    notebook = copy.deepcopy(notebook)
    notebook["cells"][place] |= changed
    return notebook


CHECKS = [
    meta.unstored_checks, meta.stored_widgets, meta.stored_errors, meta.private_outputs,
    meta.odd_kernel, meta.unpredicted,
]  # fmt: skip


@pytest.mark.parametrize("complaints", CHECKS)
def test_a_good_notebook_draws_no_complaint(complaints, good):
    assert complaints(good) == []


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"outputs": []}, "stores no text"),
        ({"outputs": [said(" \n")]}, "stores no text"),
        ({"outputs": [{"output_type": "display_data", "data": {"image/png": "aGk="}}]}, "no text"),
        ({"execution_count": None}, "never executed"),
        ({"outputs": [said("DOES NOT HOLD: 1 < 2 (3)")]}, "did not hold"),
    ],
)
def test_a_check_that_compares_nothing(good, changed, complaint):
    (only,) = meta.unstored_checks(broken(good, CLAIM, **changed))
    assert only.startswith("cell 4") and complaint in only


def test_a_claim_that_nobody_compares(good):
    untagged, none = meta.unstored_checks(broken(good, CLAIM, metadata={}))
    assert "tag it nbval-check-output" in untagged and "no cell is tagged" in none


def test_widget_state_and_views(good):
    good["metadata"]["widgets"] = {}
    view = said("Panel", **{"application/vnd.jupyter.widget-view+json": {"model_id": "a"}})
    assert len(meta.stored_widgets(broken(good, RUN, outputs=[view]))) == 2


def test_an_error_among_the_outputs(good):
    error = {"output_type": "error", "ename": "KeyError", "evalue": "", "traceback": []}
    assert meta.stored_errors(broken(good, RUN, outputs=[error])) == [
        "cell 1 stores an error: KeyError"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "kept in /home/ada/.cache", "see /var/x", "C:\\Users\\ada", f"in {meta.ROOT}",
        "<function f at 0x7f3a5c0e1d30>", "(/Users/ada/lab)",
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["text/plain", "text/html"])
def test_what_belongs_to_one_machine(good, text, kind):
    output = {"output_type": "display_data", "data": {kind: text}}
    assert len(meta.private_outputs(broken(good, RUN, outputs=[output]))) == 1


def test_what_only_looks_like_a_path(good):
    text = "http://127.0.0.1:8000/home/x and 3 tokens/s, a / b, 0x10, POST /v1/completions"
    assert meta.private_outputs(broken(good, RUN, outputs=[said(text)])) == []


def test_size(good):
    assert meta.too_large(good, 10_000) == []
    good["cells"] = good["cells"] * 6
    assert len(meta.too_large(good, 1_000_001)) == 2


def test_a_kernel_of_ones_own(good):
    good["metadata"] = {"kernelspec": {"name": "venv"}, "language_info": {"version": "3.11.2"}}
    assert len(meta.odd_kernel(good)) == 2


@pytest.mark.parametrize(
    ("order", "complaints"),
    [
        ([RUN, PREDICT, REVEAL], ["runs before any", "nothing ran since"]),
        ([PREDICT, REVEAL], ["nothing ran since"]),
        ([PREDICT, RUN], ["never revealed"]),
        ([RUN, REVEAL], ["runs before any", "no cell before it asked"]),
        ([PREDICT, RUN, PREDICT, REVEAL], ["nothing ran since"]),
    ],
)
def test_predictions_out_of_order(good, order, complaints):
    good["cells"] = [good["cells"][i] for i in order]
    found = meta.unpredicted(good)
    assert len(found) == len(complaints)
    assert all(part in line for part, line in zip(complaints, found, strict=True))


def test_serving_counts_as_a_run(good):
    served = 'alone = await stage.serve("one at a time", setup, some)'
    good["cells"][RUN]["source"] = served
    assert meta.unpredicted(good) == []
    good["cells"] = [good["cells"][i] for i in (RUN, PREDICT, REVEAL)]
    assert "runs before any" in meta.unpredicted(good)[0]


@pytest.mark.parametrize(
    ("cells", "complaint"),
    [
        (["lab.foresee('a', v, f)", "lab.outcomes({'a': x})"], None),
        (["lab.foresee('a', v, f)\nx = 1\nlab.outcomes({'a': x})"], None),
        (["for n in fixes:\n    lab.foresee(n, v, f)", "lab.outcomes(got)"], None),
        (["lab.foresee('a', v, f)", "lab.outcomes({'a': x, **more})"], None),
        (["print(1)"], "no fix is foreseen"),
        (["lab.foresee('a', v, f)"], "'a' is foreseen and its outcome never shown"),
        (["lab.foresee('a', v, f)", "lab.outcomes({'a': x, 'b': y})"], "'b', which was not"),
        (["lab.outcomes({'a': x})\nlab.foresee('a', v, f)"], "no fix was foreseen before it"),
    ],
)
def test_the_tool_predicts_before_it_shows(cells, complaint):
    found = meta.unforeseen({"cells": [cell(source) for source in cells]})
    assert [complaint in line for line in found] == [True] if complaint else found == []


def test_exercises_need_a_solution_and_a_checker(good):
    solution = {"cells": [cell('lab.check("f", f)')]}
    assert meta.exercise_gaps("00", good, solution, ("00.f",)) == []
    (no_checker,) = meta.exercise_gaps("00", good, solution, ("01.f",))
    assert "no checker" in no_checker
    (other,) = meta.exercise_gaps("00", good, {"cells": [cell('lab.check("g", g)')]}, ("00.f",))
    assert "f has no solution" in other
    (no_notebook,) = meta.exercise_gaps("00", good, None, ("00.f",))
    assert "labs/solutions" in no_notebook
    (unchecked,) = meta.exercise_gaps("00", broken(good, EXERCISE, source="f"), solution, ())
    assert "never calls lab.check" in unchecked
    (no_tag,) = meta.exercise_gaps("00", broken(good, EXERCISE, metadata={}), solution, ())
    assert "no cell is tagged exercise" in no_tag


@pytest.mark.parametrize(
    ("data", "metadata", "complaints"),
    [
        ({"image/png": "x"}, {"image/png": {"alt": "compute binds"}}, 0),
        ({"image/png": "x"}, {}, 1),
        ({"image/png": "x"}, {"image/png": {"alt": " "}}, 1),
        ({"text/html": '<img alt="compute binds" src="data:">'}, {}, 0),
        ({"text/html": '<img alt="" src="data:"><img src="data:">'}, {}, 2),
    ],
)
def test_pictures_are_stored_with_words(data, metadata, complaints):
    output = said("x", **data) | {"metadata": metadata}
    assert len(meta.silent_pictures({"cells": [cell("p", output)]})) == complaints


def test_there_are_labs():
    assert len(LABS) >= 2 and [p.name for p in LABS] == [p.name for p in SOLUTIONS]


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize(
    "complaints",
    [
        meta.unstored_checks, meta.stored_widgets, meta.stored_errors, meta.private_outputs,
        meta.odd_kernel, meta.silent_pictures,
    ],
)  # fmt: skip
def test_every_notebook(name, complaints):
    assert complaints(load(EVERY[name])) == []


@pytest.mark.parametrize("path", LABS, ids=lambda p: p.stem)
def test_every_lab(path):
    lab, number = load(path), path.name[:2]
    solution = path.parent / "solutions" / path.name
    assert meta.too_large(lab, path.stat().st_size) == []
    assert meta.unpredicted(lab) == []
    assert meta.unforeseen(lab) == []
    solved = load(solution) if solution.exists() else None
    assert meta.exercise_gaps(number, lab, solved, names()) == []


@pytest.mark.parametrize("path", LABS, ids=lambda p: p.stem)
def test_the_solution_passes_where_the_lab_s_own_stub_does_not(path):
    number = path.name[:2]
    for name in meta.exercises(load(path)):
        assert not check(f"{number}.{name}", answer_in(path, name)).ok
        assert check(f"{number}.{name}", answer_in(path.parent / "solutions" / path.name, name)).ok


def answer_in(path, name):
    """What a notebook defines as `name`, without running the rest of it."""
    for _, c in meta.code(load(path)):
        for node in ast.parse(meta.source(c)).body:
            if isinstance(node, ast.FunctionDef) and node.name == name:
                space = {}
                exec(compile(ast.Module([node], []), path.name, "exec"), space)
                return space[name]
    pytest.fail(f"{path.name} defines no {name}")
