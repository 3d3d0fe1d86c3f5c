"""`Outcome`: what became of a round: who was accused, when, and the points for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from constraintlab.gameday.fault import BY_NAME, Fault

BEST, LEAST, A_SECOND, FALSE = 100, 20, 2, 25
"""Points for the fault's name at once, at least for it at all; lost a second; lost by accusing
somebody else."""


@dataclass(frozen=True)
class Accusation:
    """seconds: since the load began; name: of the suspect."""

    seconds: float
    name: str


@dataclass(frozen=True)
class Outcome:
    """A round that is over. accusations: in their order; after the right one there is none."""

    fault: Fault
    accusations: Sequence[Accusation] = ()

    @property
    def found(self) -> float | None:
        """Seconds until the fault was named, None if it was not."""
        last = self.accusations[-1] if self.accusations else None
        return last.seconds if last and last.name == self.fault.name else None

    @property
    def false(self) -> int:
        """Accusations of somebody else."""
        return len(self.accusations) - (self.found is not None)

    @property
    def points(self) -> int:
        """For naming it, the sooner the more, less what the false ones cost; may be below 0."""
        for_it = 0 if self.found is None else max(LEAST, BEST - A_SECOND * int(self.found))
        return for_it - FALSE * self.false

    def __str__(self) -> str:
        named = f"named after {self.found:.0f} s" if self.found is not None else "not named"
        alarms = {0: "", 1: ", one false alarm"}.get(self.false, f", {self.false} false alarms")
        return (
            f"{self.fault.accused} ({self.fault.where}): {named}{alarms}; {self.points} points. "
            f"{self.fault.signs}"
        )


def accused(name: str) -> Fault:
    """The suspect of that name; ValueError that lists them for another."""
    if name not in BY_NAME:
        raise ValueError(f"no suspect {name!r}: accuse one of {', '.join(BY_NAME)}")
    return BY_NAME[name]
