"""`worth`: what the best fix to one resource could give before the next limit binds."""

from __future__ import annotations

import math

from constraintlab.limits.capacities import Capacities
from constraintlab.limits.compose import throughput
from constraintlab.limits.resource import Resource
from constraintlab.limits.stack import Stack, scale


def ratio(after: float, before: float) -> float:
    """after ÷ before of two throughputs: infinite where a standstill or all limits end, else 1."""
    if not before:
        return math.inf if after else 1.0
    if math.isinf(before):
        return 1.0
    return after / before


def worth(stack: Stack, caps: Capacities, resource: Resource) -> float:
    """X without this limit ÷ X: the best that any fix to `resource` could give (≥ 1)."""
    return ratio(throughput(*scale(stack, caps, resource, math.inf)), throughput(stack, caps))
