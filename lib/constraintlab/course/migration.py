"""`Migration`: where the constraint was in each lab, before and after each fix.

All of it comes from the learner's progress: a lab that was not finished has an empty row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from constraintlab.course.forecast import Forecast, kept
from constraintlab.course.lab import strip
from constraintlab.course.progress import Progress
from constraintlab.limits.resource import Resource

TITLES = {
    "00": "Instrument first", "01": "Naive attention", "02": "One kernel", "03": "FlashAttention",
    "04": "Batching, KV wall", "05": "Paged KV", "06": "Streaming", "07": "The tail",
    "08": "Day two",
}  # fmt: skip

EMPTY = "not done yet"


@dataclass(frozen=True)
class Stop:
    """One lab. done: it was finished, and `constraint` is where it ended, if anything bound.
    fixes: those that were measured, each with what bound before and after it."""

    lab: str
    done: bool
    constraint: Resource | None = None
    note: str = ""
    fixes: tuple[Forecast, ...] = ()

    @property
    def path(self) -> tuple[Resource, ...]:
        """What bound in this lab, fix by fix, and where it ended."""
        seen = [r for f in self.fixes for r in (*f.before[:1], *f.bound[:1])]
        return _moves([*seen, self.constraint] if self.done and self.constraint else seen)


@dataclass(frozen=True)
class Migration:
    """Every lab in order, up to the one that is under way."""

    stops: tuple[Stop, ...]

    @property
    def done(self) -> tuple[Stop, ...]:
        """The labs that were finished."""
        return tuple(s for s in self.stops if s.done)

    @property
    def path(self) -> tuple[Resource, ...]:
        """Where the constraint went in the labs that were finished."""
        return _moves(r for s in self.done for r in s.path)

    @property
    def fixes(self) -> tuple[Forecast, ...]:
        """All that were measured, in all labs."""
        return tuple(f for s in self.stops for f in s.fixes)

    @property
    def title(self) -> str:
        """The finding."""
        if not self.done:
            return "Nothing measured yet: finish a lab, and its row fills"
        many, different = len(self.done), len(set(self.path))
        labs = "1 lab" if many == 1 else f"{many} labs"
        found = "1 constraint" if different == 1 else f"{different} different constraints"
        return f"{found} in {labs}: {' → '.join(r.label for r in self.path) or 'none'}"

    @property
    def text(self) -> str:
        """All of it in words, for who sees no chart."""
        told = [f"{self.title}."]
        for s in self.stops:
            where = s.constraint.label if s.constraint else "nothing bound"
            said = f"{where} ({s.note})" if s.note else where
            line = f"Lab {s.lab}: {said if s.done else EMPTY}"
            fixes = "; ".join(map(_said, s.fixes))
            told.append(line + (f"; {fixes}." if fixes else "."))
        return " ".join(told)


def migration(progress: Progress, before: str = "08") -> Migration:
    """The labs up to `before`, which is left out, from what is kept of them."""
    cells = {cell.lab: cell for cell in strip(progress)}
    stops = []
    for lab in TITLES:
        if lab >= before:
            break
        cell, found = cells.get(lab), kept(progress, lab).values()
        fixes = tuple(f for f in found if f.tried)
        where = cell.constraint if cell else None
        stops.append(Stop(lab, cell is not None, where, cell.note if cell else "", fixes))
    return Migration(tuple(stops))


def rows(found: Migration) -> list[tuple[Stop, Forecast | None]]:
    """A row for each fix; one for a lab without any."""
    return [(s, f) for s in found.stops for f in (s.fixes or (None,))]


def _moves(seen: Iterable[Resource]) -> tuple[Resource, ...]:
    """The same one twice in a row counts once."""
    found: list[Resource] = []
    for r in seen:
        if not found or found[-1] is not r:
            found.append(r)
    return tuple(found)


def _said(fix: Forecast) -> str:
    where = " → ".join(r.label for r in (*fix.before[:1], *fix.bound[:1]))
    gain = f"predicted ×{fix.predicted.value:.2f}, measured ×{fix.measured.value:.2f}"
    return f"{fix.fix} {gain}" + (f", {where}" if where else "")
