"""What a stack asks of a resource at all, and the units in which resources come."""

from __future__ import annotations

import math

from constraintlab.limits.resource import Resource
from constraintlab.limits.stack import Stack

UNITS = {
    Resource.COMPUTE: "FLOP/s",
    Resource.BANDWIDTH: "bytes/s",
    Resource.PAGES: "bytes/s",
    Resource.KV_CAPACITY: "tokens",
    Resource.SLOTS: "sequences",
    Resource.HOST: "core-seconds/s",
    Resource.NETWORK: "bytes/s",
    Resource.CLIENT: "tokens/s",
    Resource.DEMAND: "tokens/s",
}
"""Of each capacity."""


def uses(stack: Stack, resource: Resource) -> bool:
    """Whether a stack asks anything of this resource, or has that limit at all."""
    work = [k.fixed + k.each for k in stack.kernels]
    match resource:
        case Resource.COMPUTE:
            return any(w.flops for w in work)
        case Resource.BANDWIDTH:
            return any(w.bytes for w in work)
        case Resource.PAGES:
            return any(w.fresh for w in work)
        case Resource.KV_CAPACITY:
            return math.isfinite(stack.kv_room)
        case Resource.SLOTS:
            return math.isfinite(stack.slots)
        case Resource.DEMAND:
            return math.isfinite(stack.offered)
    stages = any(s.fixed or s.each for s in stack.host) and resource is Resource.HOST
    slow = any(math.isfinite(r.rate) for r in stack.readers) and resource is Resource.CLIENT
    return stages or slow or any(s.resource is resource for s in stack.stations)
