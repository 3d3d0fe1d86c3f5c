"""The passport: what one learner measured, predicted and solved, lab by lab, with the scores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from constraintlab.course.confidence import Answered, Calibration, answers, calibration
from constraintlab.course.forecast import Forecast, Score, kept, score
from constraintlab.course.hints import HINTS
from constraintlab.course.migration import TITLES
from constraintlab.course.progress import Progress
from constraintlab.course.transfer import FORMS, Transfer
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource

VERSION = 1
"""Of the JSON."""


@dataclass(frozen=True)
class Ran:
    """A run under a lab's panel: what came out, and what bound. x: NaN if it was not measured."""

    name: str
    x: Estimate
    constraint: tuple[Resource, ...] = ()
    outcome: str = ""


@dataclass(frozen=True)
class LabPage:
    """One lab. done: it was finished, and ended at `constraint`, if anything bound, with a `note`.
    asked: predictions that were revealed. open: those that were made and not revealed, by key.
    checks: exercise → whether the last answer was right. hints: exercise → how many were taken."""

    number: str
    title: str
    done: bool = False
    constraint: Resource | None = None
    note: str = ""
    machine: str = ""
    date: str = ""
    runs: tuple[Ran, ...] = ()
    asked: tuple[Answered, ...] = ()
    open: Mapping[str, str] = field(default_factory=dict)
    fixes: Mapping[str, Forecast] = field(default_factory=dict)
    checks: Mapping[str, bool] = field(default_factory=dict)
    hints: Mapping[str, int] = field(default_factory=dict)

    @property
    def begun(self) -> bool:
        """Whether there is anything on it."""
        parts = self.runs, self.asked, self.open, self.fixes, self.checks, self.hints
        return self.done or any(parts)

    @property
    def score(self) -> Calibration:
        """Of this lab's predictions alone."""
        return Calibration.of(self.asked)


@dataclass(frozen=True)
class Passport:
    """labs: all, in order. transfer: form → points of how many, None where it was not handed in."""

    labs: tuple[LabPage, ...]
    learner: Calibration
    predictor: Score
    transfer: Mapping[str, tuple[int, int] | None]

    @property
    def begun(self) -> bool:
        """Whether there is anything in it."""
        return any(lab.begun for lab in self.labs) or any(self.transfer.values())

    @property
    def done(self) -> int:
        """Labs that were finished."""
        return sum(lab.done for lab in self.labs)

    @property
    def solved(self) -> tuple[int, int]:
        """Exercises whose last answer was right, of how many there are."""
        right = sum(bool(ok) for lab in self.labs for ok in lab.checks.values())
        return right, len(HINTS)

    def as_dict(self) -> dict:
        """Plain data for JSON: no infinities, no NaN."""
        return _plain(
            {
                "version": VERSION,
                "labs": [_lab_dict(lab) for lab in self.labs],
                "learner": {**asdict(self.learner), "said": self.learner.said,
                            "brier": self.learner.brier, "too_sure": self.learner.over},
                "predictor": asdict(self.predictor),
                "transfer": {form: {"points": found[0], "of": found[1]} if found else None
                             for form, found in self.transfer.items()},
            }
        )  # fmt: skip


def passport(progress: Progress) -> Passport:
    """As it is now; what can't be read is left out."""
    asked = answers(progress)
    labs = tuple(
        _page(progress, number, title, tuple(a for a in asked if a.lab == number))
        for number, title in TITLES.items()
    )
    tests = {form: Transfer(form, progress) for form in FORMS}
    points = {form: (t.score, t.most) if t.done else None for form, t in tests.items()}
    return Passport(labs, calibration(progress), score(progress), points)


def _page(progress: Progress, number: str, title: str, asked: tuple[Answered, ...]) -> LabPage:
    parts = progress.lab(number)
    cell = parts.get("strip", {}).get("cell")
    done = isinstance(cell, dict)
    cell = cell if done else {}
    known = {r.value for r in Resource}
    revealed = {a.key for a in asked}
    made = parts.get("predictions", {})
    return LabPage(
        number, title, done,
        Resource(cell["constraint"]) if cell.get("constraint") in known else None,
        *(str(cell.get(name) or "") for name in ("note", "machine", "date")),
        tuple(filter(None, (_ran(*item) for item in parts.get("runs", {}).items()))),
        asked,
        {key: str(said) for key, said in made.items() if key not in revealed},
        kept(progress, number),
        {name: bool(ok) for name, ok in parts.get("checks", {}).items()},
        {name: n for name, n in parts.get("hints", {}).items() if isinstance(n, int)},
    )  # fmt: skip


def _ran(name: str, d: object) -> Ran | None:
    """What `Lab.measured` kept; None for anything else."""
    try:
        x = Estimate.from_dict(d["x"]) if d["x"] else Estimate.absent(d["unit"], "not measured")
        where = tuple(Resource(r) for r in d["constraint"])
        return Ran(name, x, where, str(d["outcome"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _lab_dict(lab: LabPage) -> dict:
    fixes = {
        key: {**f.as_dict(), "error": f.error, "inside": f.inside, "right": f.right}
        for key, f in lab.fixes.items()
    }
    runs = [
        {"name": r.name, "x": r.x.as_dict(), "constraint": list(r.constraint), "outcome": r.outcome}
        for r in lab.runs
    ]
    asked = [{**asdict(a), "right": a.right} for a in lab.asked]
    told = ("number", "title", "done", "constraint", "note", "machine", "date", "checks", "hints")
    return {
        **{name: getattr(lab, name) for name in told},
        "runs": runs, "predictions": asked, "open": dict(lab.open), "fixes": fixes,
    }  # fmt: skip


def _plain(value: object) -> object:
    """The same with None for each number that JSON does not have."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
