"""Shares: which resource the throughput is waiting for, as parts of 1. And elasticities.

A *share* is an attribution. When sequences wait for room, the part of a step that more
sequences would dilute (weights read once, fixed host cost) is charged to what keeps them
out, because that is what they wait for; the rest to the resource it is spent on.

An *elasticity* is a derivative: the percentage X gains per percent of one capacity. Rates
alone have elasticities that sum to 1; room adds its own on top, since both a faster memory
and more room would shrink the diluted part. So shares and elasticities agree for room and
wherever nothing waits, and a rate's elasticity is at least its share.

A slow reader keeps a place in the batch. Where others wait for one, faster readers or more room
would buy the same, each as much as the readers hold back: each is charged half of that.

Where slots and pool bind in turn, the room's part is shared between them by how much more room each
would give; where two parts of the pipeline are about as fast, all is shared between those.
"""

from __future__ import annotations

import math
from collections import defaultdict

from constraintlab.limits import blend
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.compose import Pace, alone, slowest, throughput
from constraintlab.limits.resource import Resource
from constraintlab.limits.stack import Stack, scale


def shares_of(pace: Pace, stack: Stack) -> dict[Resource, float]:
    """Attribution of one pace: all to its resource, or split over the costs of a step.

    What slow readers hold back comes first; the rest is shared by what made the tokens.
    """
    parts = _parts(pace, stack)
    total = sum(parts.values()) or 1.0
    found = {r: seconds / total * (1 - pace.client) for r, seconds in parts.items()}
    if pace.client:
        found[Resource.CLIENT] = found.get(Resource.CLIENT, 0.0) + pace.client * (1 - pace.room / 2)
        for resource, part in stack.keeps_out.items():
            found[resource] = found.get(resource, 0.0) + pace.client * part * pace.room / 2
    return found


def _parts(pace: Pace, stack: Stack) -> dict[Resource, float]:
    if pace.resource is not None:
        return {pace.resource: 1.0}
    n, parts = pace.batch, defaultdict(float)
    for cost in pace.costs:
        if math.isinf(n):
            parts[cost.resource] += cost.each
            continue
        for resource, part in stack.keeps_out.items():
            parts[resource] += cost.fixed * part * pace.room
        parts[cost.resource] += cost.fixed * (1 - pace.room)
        # Even a step that another kernel makes longer would have cost this much: where some wait,
        # the room pays.
        parts[cost.hides or cost.resource] += cost.each * n * pace.room
        parts[cost.resource] += cost.each * n * (1 - pace.room)
    return {r: s for r, s in parts.items() if s} if sum(parts.values()) else {}


def shares(stack: Stack, caps: Capacities) -> dict[Resource, float]:
    """Shares of every resource that costs anything at the working point; they sum to 1."""
    if math.isinf(stack.sharpness):
        return shares_of(slowest(stack, caps), stack)
    parts, found = alone(stack, caps), defaultdict(float)
    for part, weight in zip(parts, blend.parts([p.x for p in parts], stack.sharpness), strict=True):
        for resource, share in shares_of(part, stack).items():
            found[resource] += weight * share
    return dict(found)


def elasticity(stack: Stack, caps: Capacities, resource: Resource, cut: float = 0.2) -> float:
    """Δln X ÷ Δln capacity when `resource` loses `cut` of its capacity (0 < cut < 1)."""
    if not 0 < cut < 1:
        raise ValueError(f"cut={cut}: give the share of the capacity to take away, between 0 and 1")
    before = throughput(stack, caps)
    after = throughput(*scale(stack, caps, resource, 1 - cut))
    return math.log(after / before) / math.log(1 - cut)
