"""Every checker on what must not pass and on what must, as a table that is printed."""

import pytest
from rich.console import Console
from rich.table import Table

from constraintlab.course.check import check, names
from constraintlab.course.hints import HINTS
from tests.labs.meta import ROOT
from tests.labs.test_meta import answer_in
from tests.unit.course.test_check import WRONG

NOTHING = (None, ..., lambda *_: None, lambda *_: ...)
CONSTANT = (0, 1, 0.5, True, "compute", "bandwidth", "", [], (0, 0, 0), {})


def solution(name):
    """What the notebook in labs/solutions hands to the checker."""
    number, exercise = name.split(".")
    (path,) = (ROOT / "labs" / "solutions").glob(f"{number}_*.ipynb")
    return answer_in(path, exercise)


def refused(name, answers):
    """(how many the checker refuses, of how many)."""
    results = [check(name, answer) for answer in answers]
    return sum(not r.ok for r in results), len(results)


@pytest.mark.long
@pytest.mark.timeout(400)
def test_nothing_wrong_passes_and_the_solutions_do(capsys):
    constants = [lambda *_, value=value: value for value in CONSTANT]
    table, faults = Table("checker", "empty", "constant", "known wrong", "solution", "hints"), []
    for name in names():
        kinds = NOTHING, (*constants, *CONSTANT), WRONG[name].values()
        found, solved = [refused(name, kind) for kind in kinds], check(name, solution(name))
        told = [f"{n} of {of} refused" for n, of in found]
        table.add_row(
            name, *told, "passes" if solved.ok else "REFUSED", str(len(HINTS.get(name, ())))
        )
        if not solved.ok or any(n < of for n, of in found) or len(WRONG[name]) < 6:
            faults.append((name, told, solved.message))
    with capsys.disabled():
        print()
        Console(width=100).print(table)
    assert faults == [] and table.row_count >= 8
