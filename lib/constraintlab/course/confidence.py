"""How sure a learner is of a prediction, and how right that is: the calibration over all labs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from constraintlab.course.progress import Progress

LEVELS: Mapping[str, float] = {"sure": 0.9, "think so": 0.7, "guess": 0.5}
"""What a learner says of an answer, and the probability that it is right which that stands for."""

FEW = 5
"""Answers from which on it is said whether a learner is too sure."""

PART = "reveals"
"""Where a lab's progress keeps what was predicted when the truth was shown for the first time."""


@dataclass(frozen=True)
class Answered:
    """One prediction at its first reveal. choice: None where none was made. sure: one of LEVELS,
    or None where that was not said."""

    lab: str
    key: str
    question: str
    choice: str | None
    truth: str
    sure: str | None = None

    @property
    def right(self) -> bool:
        return self.choice == self.truth


@dataclass(frozen=True)
class Calibration:
    """asked, predicted, right: of the questions that were revealed, how many were answered before,
    and how many rightly. levels: by what was said of it, how many answers and how many right."""

    asked: int = 0
    predicted: int = 0
    right: int = 0
    levels: Mapping[str, tuple[int, int]] | None = None

    @classmethod
    def of(cls, answers: Iterable[Answered]) -> Calibration:
        answers = list(answers)
        made = [a for a in answers if a.choice is not None]
        levels = {
            level: (len(said), sum(a.right for a in said))
            for level in LEVELS
            if (said := [a for a in made if a.sure == level])
        }
        return cls(len(answers), len(made), sum(a.right for a in made), levels)

    @property
    def said(self) -> int:
        """Answers whose confidence was given."""
        return sum(n for n, _ in (self.levels or {}).values())

    @property
    def brier(self) -> float:
        """Mean of (probability said − 1 if right else 0)² (Brier 1950): 0 at best, 0.25 for who
        says 50% each time; NaN where no confidence was given."""
        if not self.said:
            return math.nan
        squares = (
            right * (1 - LEVELS[level]) ** 2 + (n - right) * LEVELS[level] ** 2
            for level, (n, right) in self.levels.items()
        )  # fmt: skip
        return sum(squares) / self.said

    @property
    def over(self) -> float:
        """Mean probability said less the share that was right: above 0 is too sure; NaN as
        `brier`."""
        if not self.said:
            return math.nan
        hoped = sum(n * LEVELS[level] for level, (n, _) in self.levels.items())
        return (hoped - sum(right for _, right in self.levels.values())) / self.said

    def __str__(self) -> str:
        if not self.asked:
            return "No prediction was revealed yet."
        told = f"{self.right} of {self.predicted} predictions right"
        if self.asked > self.predicted:
            told += f", {self.asked - self.predicted} not made before the reveal"
        if not self.said:
            return told + "."
        levels = ", ".join(f"{k}: {right} of {n}" for k, (n, right) in self.levels.items())
        sense = f": {self._sense()}" if self.said >= FEW else ""
        return f"{told}. {levels}. Brier score {self.brier:.2f}{sense}."

    def _sense(self) -> str:
        if self.over > 0.1:
            return "you are surer than you are right"
        return "you are right more often than you are sure" if self.over < -0.1 else "well judged"


def answers(progress: Progress) -> list[Answered]:
    """Every prediction that was revealed, in the order of the labs; what can't be read is none."""
    found = []
    for lab, parts in sorted(progress.labs().items()):
        for key, kept in parts.get(PART, {}).items():
            try:
                choice, sure = kept["choice"], kept.get("sure")
                asked, truth = str(kept["question"]), str(kept["truth"])
            except (KeyError, TypeError, AttributeError):
                continue
            found.append(Answered(lab, key, asked, choice, truth, sure if sure in LEVELS else None))
    return found


def calibration(progress: Progress) -> Calibration:
    """Of this learner, over all labs."""
    return Calibration.of(answers(progress))
