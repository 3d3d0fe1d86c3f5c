"""The transfer test: six scenarios before the labs, six others after; what binds, and what next?

Each card is a scenario of `transfer.json`, which `.ci/transfer.py` drew: what binds in it is known
by perturbation on the virtual clock. The two forms have the same constraints on different stacks.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from constraintlab.course.progress import Progress
from constraintlab.course.transfer_card import rows
from constraintlab.limits.resource import Resource

FORMS: Mapping[str, str] = {"before": "before the labs", "after": "after the labs"}
LAB, DONE = "transfer", "done"
"""Where progress keeps it: as a lab of its own, with the form as its part."""

CHOICES = tuple(r for r in Resource if r is not Resource.PAGES)
"""What a learner chooses among: all that can bind in a serving stack on an accelerator."""

ASKED = ("constraint", "next")
"""A point each."""


@dataclass(frozen=True)
class Card:
    """figures: see `transfer_card.figures`. constraint, next: the truth. shares, then: of each
    capacity by perturbation, as it is and without the constraint."""

    figures: Mapping
    constraint: Resource
    next: Resource
    shares: Mapping[str, float]
    then: Mapping[str, float]

    @property
    def rows(self) -> list[tuple[str, str, str]]:
        """(group, what, how much): all that a learner sees."""
        return rows(self.figures)

    def why(self) -> str:
        """The truth, with the shares that it rests on."""
        return (
            f"{self.constraint.label} ({self.shares[self.constraint]:.0%} of what any capacity "
            f"could buy), then {self.next.label} ({self.then[self.next]:.0%})"
        )


@cache
def cards(form: str) -> tuple[Card, ...]:
    """The six of a form; ValueError for another than those in FORMS."""
    if form not in FORMS:
        raise ValueError(f"there is no form {form!r}: use {' or '.join(map(repr, FORMS))}")
    kept = json.loads(Path(__file__).with_name("transfer.json").read_text(encoding="utf-8"))
    return tuple(
        Card(c["figures"], Resource(c["constraint"]), Resource(c["next"]), c["shares"], c["then"])
        for c in kept[form]
    )


class Transfer:
    """One form, shown in a notebook as cards with two questions each: `Transfer("before")`.

    Answers are kept as they are given. After `hand_in` they stay, and there is a score; which
    answers were right is told for the form after the labs alone.
    """

    def __init__(self, form: str, progress: Progress | None = None) -> None:
        self.form, self.cards = form, cards(form)
        self.progress = progress or Progress()
        self._view = None

    def _kept(self) -> dict:
        return self.progress.lab(LAB).get(self.form, {})

    @property
    def answers(self) -> list[dict[str, Resource]]:
        """By card: what was answered so far, by what was asked."""
        kept, known = self._kept(), {r.value for r in CHOICES}
        found = []
        for i in range(len(self.cards)):
            said = kept.get(str(i))
            said = said if isinstance(said, dict) else {}
            found.append({k: Resource(said[k]) for k in ASKED if said.get(k) in known})
        return found

    @property
    def missing(self) -> int:
        """Answers that are still to be given."""
        return len(ASKED) * len(self.cards) - sum(map(len, self.answers))

    @property
    def done(self) -> bool:
        return DONE in self._kept()

    @property
    def most(self) -> int:
        """Points that can be had."""
        return len(ASKED) * len(self.cards)

    @property
    def score(self) -> int | None:
        """Points, two a card; None until it is handed in."""
        if not self.done:
            return None
        pairs = zip(self.cards, self.answers, strict=True)
        return sum(said.get(k) is getattr(card, k) for card, said in pairs for k in ASKED)

    def answer(self, card: int, what: str, resource: Resource | str) -> None:
        """Answer one question: what is `constraint` or `next`. ValueError for what can't be, and
        once it is handed in."""
        if self.done:
            raise ValueError(f"this form is handed in: `constraintlab reset {LAB}` starts afresh")
        if what not in ASKED or card not in range(len(self.cards)) or resource not in CHOICES:
            raise ValueError(f"card {card}, {what}, {resource}: there is no such answer")
        value = Resource(resource).value

        def with_it(kept: object) -> dict:
            return {**(kept if isinstance(kept, dict) else {}), what: value}

        self.progress.change(LAB, self.form, str(card), with_it)

    def hand_in(self) -> None:
        """No more changes. ValueError while an answer is missing."""
        if self.missing:
            raise ValueError(f"{self.missing} answers are missing")
        self.progress.first(LAB, self.form, DONE, time.strftime("%Y-%m-%d"))

    def __str__(self) -> str:
        told = "not taken"
        if self.done:
            told = f"{self.score} of {self.most} points"
        elif self.missing < self.most:
            told = f"begun, {self.missing} answers to go"
        return f"Transfer test, {FORMS[self.form]}: {told}."

    def widget(self):
        """The ipywidgets box: see `transfer_view`."""
        from constraintlab.course.transfer_view import view

        if self._view is None:
            self._view = view(self)
        return self._view

    def _repr_mimebundle_(self, **kwargs) -> dict:
        bundle = self.widget()._repr_mimebundle_(**kwargs) or {}
        bundle["text/plain"] = str(self)
        return bundle
