"""What-if: a fix is a change to a capacity or a demand; predict X before doing it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from constraintlab.limits.capacities import Capacities
from constraintlab.limits.compose import throughput
from constraintlab.limits.resource import Resource
from constraintlab.limits.shares import shares
from constraintlab.limits.stack import Stack, scale


@dataclass(frozen=True)
class Fix:
    """A change to try: capacities times a factor, or the stack as it would be afterwards."""

    name: str
    raises: Mapping[Resource, float] = field(default_factory=dict)
    stack: Stack | None = None

    def apply(self, stack: Stack, caps: Capacities) -> tuple[Stack, Capacities]:
        stack = self.stack or stack
        for resource, factor in self.raises.items():
            stack, caps = scale(stack, caps, resource, factor)
        return stack, caps


@dataclass(frozen=True)
class Outlook:
    """What a fix is predicted to do: throughput after it, the gain as a ratio, what binds then."""

    fix: Fix
    x: float
    gain: float
    constraint: Resource | None


def whatif(stack: Stack, caps: Capacities, fix: Fix) -> Outlook:
    """Predicted throughput with `fix` applied, and that over the predicted throughput now."""
    changed = fix.apply(stack, caps)
    after, parts = throughput(*changed), shares(*changed)
    binding = max(parts, key=parts.get) if parts else None
    return Outlook(fix, after, after / throughput(stack, caps), binding)


def worth(stack: Stack, caps: Capacities, resource: Resource) -> float:
    """X without this limit ÷ X: the best that any fix to `resource` could give (≥ 1)."""
    now = throughput(stack, caps)
    without = throughput(*scale(stack, caps, resource, math.inf))
    if not now:
        return math.inf if without else 1.0
    return without / now if math.isfinite(without) else math.inf
