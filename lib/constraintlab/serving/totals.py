"""`Totals`: an engine's counters that go on growing when another engine takes its place."""

from __future__ import annotations

from collections import Counter

from constraintlab.engine.report import Report


class Totals:
    """The newest report, and the sums of those before a restart."""

    def __init__(self) -> None:
        self.report: Report | None = None
        self._past: Counter[str] = Counter()

    def take(self, report: Report) -> None:
        """A report of the engine that runs now."""
        self.report = report

    def restart(self) -> None:
        """That engine is gone."""
        if self.report is not None:
            self._past.update(self.report.totals)
            self.report = None

    @property
    def names(self) -> tuple[str, ...]:
        """Every counter that any engine so far has reported."""
        return tuple(dict.fromkeys([*self._past, *(self.report.totals if self.report else ())]))

    def __getitem__(self, name: str) -> float:
        """A counter of `Report.totals`, over all engines."""
        now = self.report.totals.get(name, 0.0) if self.report else 0.0
        return self._past[name] + now
