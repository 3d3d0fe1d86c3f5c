"""Who holds which blocks of a KV store, and how full they are: what a map of the pool shows."""

from __future__ import annotations

from collections.abc import Iterable

from constraintlab.engine.report import SHARED, Life
from constraintlab.engine.request import Phase, Request


def blocks(kv, lives: Iterable[tuple[Request, Life]]) -> tuple[list[int], list[int]]:
    """Per block of a store: the number of the life that holds it, and the tokens in it."""
    owners, filled = [0] * kv.units, [0] * kv.units
    size = kv.block_size
    for request, life in lives:
        if request.phase is not Phase.RUNNING or request not in kv:
            continue
        left = request.computed
        for block in kv.block_table(request):
            owners[block] = SHARED if owners[block] else life.number
            filled[block] = max(filled[block], min(size, max(0, left)))
            left -= size
    return owners, filled
