"""The passport as tables, which the terminal and the page both show."""

from __future__ import annotations

from collections.abc import Iterator

from constraintlab.course.forecast import Score
from constraintlab.course.forecast_table import beside
from constraintlab.course.passport import LabPage, Passport
from constraintlab.course.show import Table
from constraintlab.course.transfer import FORMS
from constraintlab.panel.numbers import finite, si

NOTHING = "Nothing is kept yet: `make lab` opens lab 00, and each lab adds a page."


def overview(found: Passport) -> Table:
    """A row a lab."""
    heads = ("lab", "ended at", "in a word", "right", "foreseen", "exercise")
    note = "right: of your predictions; foreseen: fixes whose gain was in the tool's interval"
    return Table(heads, [_row(lab) for lab in found.labs], note)


def _row(lab: LabPage) -> tuple[str, ...]:
    where = lab.constraint.label if lab.constraint else "no limit"
    score, fixes = lab.score, Score.of(lab.fixes.values())
    return (
        f"{lab.number} {lab.title}",
        where if lab.done else "begun" if lab.begun else "not yet",
        lab.note,
        f"{score.right} of {score.asked}" if score.asked else "",
        f"{fixes.inside} of {fixes.n}" if fixes.n else "",
        "; ".join(_exercise(lab)),
    )


def _exercise(lab: LabPage) -> Iterator[str]:
    for name in dict.fromkeys((*lab.checks, *lab.hints)):
        told = {True: "✓ ", False: "✗ "}.get(lab.checks.get(name), "") + name
        n = lab.hints.get(name, 0)
        yield told + (f" ({n} hint{'s' if n > 1 else ''})" if n else "")


def totals(found: Passport) -> list[tuple[str, str]]:
    """(what, in words): the scores over all labs."""
    right, of = found.solved
    tests = []
    for form, when in FORMS.items():
        points = found.transfer[form]
        tests.append(f"{when}: {f'{points[0]} of {points[1]} points' if points else 'not taken'}")
    return [
        ("labs finished", f"{found.done} of {len(found.labs)}"),
        ("your predictions", str(found.learner)),
        ("the tool's", str(found.predictor)),
        ("exercises", f"{right} of {of} solved"),
        ("transfer test", "; ".join(tests)),
    ]


def pages(found: Passport) -> Iterator[tuple[LabPage, list[tuple[str, Table]]]]:
    """Each lab that was begun, with its captioned tables."""
    for lab in found.labs:
        if lab.begun:
            tables = ("Runs", _runs(lab)), ("Predicted", _asked(lab)), ("Fixes", _fixes(lab))
            yield lab, [(caption, table) for caption, table in tables if table.rows]


def _runs(lab: LabPage) -> Table:
    rows = []
    for r in lab.runs:
        spread = f" ±{r.x.spread:.0%}" if finite(r.x.value) and finite(r.x.spread) else ""
        bound = " and ".join(c.label for c in r.constraint) or r.outcome
        source = r.x.source.split(":")[0]
        rows.append((r.name, si(r.x.value, r.x.unit) + spread, source, bound))
    return Table(("run", "throughput", "source", "what bound"), rows)


def _asked(lab: LabPage) -> Table:
    rows = []
    for a in lab.asked:
        mark = "✓" if a.right else "○" if a.choice is None else "✗"
        said = (a.choice or "nothing") + (f", {a.sure}" if a.sure else "")
        rows.append((a.question, said, a.truth, mark))
    rows += [(f"({key})", said, "not revealed yet", "") for key, said in lab.open.items()]
    return Table(("question", "you said", "measured", ""), rows)


def _fixes(lab: LabPage) -> Table:
    done = {key: f for key, f in lab.fixes.items() if f.measured is not None}
    table = beside(done, Score())
    return Table(table.headings, table.rows)
