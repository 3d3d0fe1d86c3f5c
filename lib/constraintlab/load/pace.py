"""`Pace`: the clock of a schedule that can be made to run faster or slower while it runs."""

from __future__ import annotations


class Pace:
    """Maps the schedule's seconds to seconds of the run. factor: of the rate; 0 holds it.

    With a factor of 2 from 10 s on, what was due at 30 s is due at 20 s.
    """

    def __init__(self, factor: float = 1.0) -> None:
        self._at = self._done = 0.0
        self.factor = _checked(factor)

    def set(self, factor: float, now: float) -> None:
        """From now on. now: seconds of the run. ValueError for a factor below 0."""
        _checked(factor)
        self._done = self.passed(now)
        self._at, self.factor = now, factor

    def passed(self, now: float) -> float:
        """Seconds of the schedule that have passed."""
        return self._done + (now - self._at) * self.factor

    def due(self, at: float) -> float:
        """When, in seconds of the run, this moment of the schedule comes; infinite if held."""
        if at <= self._done:
            return self._at
        return self._at + (at - self._done) / self.factor if self.factor else float("inf")


def _checked(factor: float) -> float:
    if not 0 <= factor < float("inf"):
        raise ValueError(f"rate factor {factor}: give 1 for the schedule's own pace, 0 to hold it")
    return factor
