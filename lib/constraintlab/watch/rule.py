"""`Rule`: one row of the table in `rules.py`, and what several rows ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from constraintlab.limits.resource import Resource
from constraintlab.watch.facts import Facts

WAITS = 0.5
"""Share of the looks in which somebody must wait before anything but delivery can bind."""


@dataclass(frozen=True)
class Rule:
    """resource: what binds where it holds. when: in words. needs: without these it is blind; of a
    tuple in it, one is enough. strength, evidence: from the facts. explains: resources whose rules
    show symptoms of this one, so they count half."""

    resource: Resource
    when: str
    needs: tuple[str | tuple[str, ...], ...]
    strength: Callable[[Facts], float]
    evidence: Callable[[Facts], list[str]]
    explains: tuple[Resource, ...] = ()

    def lacks(self, facts: Facts) -> list[str]:
        """The needed facts that are absent."""
        return [
            need if isinstance(need, str) else need[0]
            for need in self.needs
            if not any(n in facts for n in ((need,) if isinstance(need, str) else need))
        ]


def ramp(value: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high`, straight in between."""
    return min(1.0, max(0.0, (value - low) / (high - low)))


def saturated(f: Facts) -> bool:
    """Requests wait most of the time."""
    return f.get("waits", 0.0) >= WAITS


def waiting(f: Facts) -> str:
    """The queue in words."""
    return f"{f['waiting']:.1f} requests wait on average, in {f['waits']:.0%} of the looks"
