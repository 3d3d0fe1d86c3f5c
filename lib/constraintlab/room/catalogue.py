"""The questions that a room knows, and the place of an answer among a question's options."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from constraintlab.limits.resource import Resource

FILE = Path(__file__).parent / "questions.json"
HOLE = "…"


@dataclass(frozen=True)
class Question:
    """One prediction of a lab. `…` in its texts is what each laptop works out for itself.

    unit: of the value measured, e.g. `× from one pass`; None where the answer is a name alone.
    """

    lab: str
    key: str
    question: str
    options: tuple[str, ...]
    unit: str | None = None

    @property
    def name(self) -> tuple[str, str]:
        return self.lab, self.key

    def place(self, answer: str) -> int | None:
        """The option that `answer` is, counted from 0; None where it is none of them."""
        if answer in self.options:
            return self.options.index(answer)
        for i, option in enumerate(self.options):
            if HOLE in option:
                pattern = ".{1,24}".join(map(re.escape, option.split(HOLE)))
                if re.fullmatch(pattern, answer):
                    return i
        return None


class Catalogue:
    """Every question of the course, in the order in which the labs ask them."""

    def __init__(self, questions: list[Question]) -> None:
        self.questions = tuple(questions)
        self._by_name = {q.name: q for q in questions}
        self.labs = tuple(dict.fromkeys(q.lab for q in questions))

    def find(self, lab: str, key: str) -> Question:
        """The question; KeyError with a sentence where there is none."""
        self.check_lab(lab)
        if (lab, key) not in self._by_name:
            keys = ", ".join(q.key for q in self.questions if q.lab == lab)
            raise KeyError(f"lab {lab} asks no {key!r}: this room's version of it asks {keys}")
        return self._by_name[lab, key]

    def check_lab(self, lab: str) -> None:
        """KeyError with a sentence where the course has no such lab."""
        if lab not in self.labs:
            raise KeyError(f"there is no lab {lab!r}: this room knows {', '.join(self.labs)}")


@cache
def load() -> Catalogue:
    """The catalogue that comes with the package; `asked` writes it from the notebooks."""
    found = json.loads(FILE.read_text(encoding="utf-8"))
    return Catalogue([Question(**{**q, "options": tuple(q["options"])}) for q in found])


def resource(label: str) -> Resource | None:
    """The resource whose label a text is: `KV capacity`; None for any other."""
    return next((r for r in Resource if r.label == label), None)
