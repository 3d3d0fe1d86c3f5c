"""Work that is done again: what a preemption threw away, and how much that is with another room.

A pool that is short preempts: a request loses its KV and computes it again when it is back. That is
prompts' work for no token more. Only a pool that is short preempts at all, and in one of n places a
request is a larger part the smaller n is. So what is thrown away per output token is taken to grow
as (share of the time in which the pool is short) ÷ n; but where half of the work is done again, as
the first alone: there, n hardly matters any more. On the virtual clock, with 0.8 of the blocks,
pools that are always short throw away 1.26 times as much in the median of 29 scenarios, and no more
than before in those that already did half of their prompts' work twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from constraintlab.limits.room import Room
from constraintlab.limits.work import Kernel


def redone(kernels: Iterable[Kernel], before: Room, after: Room) -> tuple[Kernel, ...]:
    """The kernels that were counted in one room, in another."""
    if not before.short:
        return tuple(kernels)
    short, places = after.short / before.short, after.places / before.places
    return tuple(_redone(k, short, places) if k.again else k for k in kernels)


def _redone(kernel: Kernel, short: float, places: float) -> Kernel:
    once = 1 - kernel.again
    again = kernel.again * short * places ** -max(0.0, 1 - 2 * kernel.again)
    work = once + again
    share = again / work if work else 0.0
    if kernel.often:
        return replace(kernel, often=kernel.often * work, again=share)
    return replace(kernel, each=kernel.each * work, again=share)
