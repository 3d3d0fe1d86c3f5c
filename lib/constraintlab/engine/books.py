"""`Books`: a ledger of an engine that runs by a real clock, between whose steps time passes too."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from constraintlab.engine.ledger import Bill, Ledger
from constraintlab.engine.request import Request
from constraintlab.engine.step import Step

USUAL = 0.1
"""How much the newest step counts in what a step without a prompt usually takes."""

Bills = Mapping[Request, Bill]


class Books:
    """`at` is always a moment on the clock of the requests' arrivals. Where there is none (None),
    time passes by what steps take alone, and no bill has what was before a request's first step.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._ledger, self._usual = Ledger(), 0.0
        self._upto, self._waits = clock(), ""
        """Up to when time has passed in the ledger, and what for in the newest plan."""

    def came(self, request: Request) -> None:
        """It came when it says that it arrived, which may be during the newest step."""
        self.rested(request.arrival)
        self._ledger.came(request)

    def rested(self, at: float) -> None:
        """No step up to then: who waited goes on to wait, and who paused to pause."""
        if at > self._upto:
            self._ledger.passed(at - self._upto, self._waits)
            self._upto = at

    def stepped(self, step: Step, took: float, at: float | None) -> None:
        """What the step cost, and whom: others' prompts cost a decode what the step took longer
        than one without prompts usually does."""
        beside = 0.0
        if not step.chunks:
            self._usual += (took - self._usual) * (USUAL if self._usual else 1.0)
        elif step.decodes and self._usual:
            beside = max(0.0, took - self._usual)
        self._ledger.planned(step.plan, step.admitted)
        self._waits = step.plan.waits
        seconds = took if at is None else at - self._upto
        self._ledger.passed(seconds, self._waits, min(beside, seconds))
        self._upto += seconds
        for emitted in step.emitted:
            self._ledger.drew(emitted.request)

    def left(self, request: Request, at: float | None) -> Bill:
        """It is over; all its seconds from its arrival to then."""
        if at is None:
            return self._ledger.left(request)
        self.rested(at)
        return self._ledger.left(request, at - request.arrival)
