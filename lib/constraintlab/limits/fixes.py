"""`Fix`: an optimisation as data, a few changes to the capacities and demands of a stack.

`changes.py` has what a change can be, `catalogue.py` the fixes that the course tells of, and
`whatif.py` predicts what one is worth.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from constraintlab.limits.capacities import Capacities
from constraintlab.limits.changes import Change
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.sizes import Pick, point
from constraintlab.limits.stack import Stack


@dataclass(frozen=True)
class Fix:
    """An optimisation: its changes, one after the other.

    when: what must be so for the sizes to hold, which a stack can't tell. costs: what is paid for
    it, where that is no demand of the stack.
    """

    name: str
    changes: tuple[Change, ...]
    when: str = ""
    costs: str = ""

    def __post_init__(self) -> None:
        if not self.changes:
            raise ValueError(f"{self.name}: a fix changes something: give at least one change")

    @property
    def sizes(self) -> tuple[Estimate, ...]:
        """Of all changes, each with its spread and its source."""
        found = (getattr(c, f.name) for c in self.changes for f in fields(c))
        return tuple(dict.fromkeys(v for v in found if isinstance(v, Estimate)))

    def __str__(self) -> str:
        """All that is known of it, a line each."""
        lines = [self.name, *(f"  {change}" for change in self.changes)]
        lines += [f"  {what}: {text}" for what, text in
                  (("when", self.when), ("costs", self.costs)) if text]  # fmt: skip
        return "\n".join(lines)

    def touches(self, stack: Stack) -> bool:
        """Whether anything in this stack is what it changes; otherwise it is worth ×1."""
        return any(change.touches(stack) for change in self.changes)

    def apply(self, stack: Stack, caps: Capacities, pick: Pick = point) -> tuple[Stack, Capacities]:
        """Stack and machine with the fix, every size as `pick` has it."""
        for change in self.changes:
            stack, caps = change.apply(stack, caps, pick)
        return stack, caps
