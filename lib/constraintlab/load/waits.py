"""What a request waited for, from what its server says of itself and what its client saw."""

from __future__ import annotations

import math

from constraintlab.engine.ledger import CAUSES

STREAM = "stream"
"""What a client waited for and no server accounts for: all before the engine and after it."""

WORDS = {**CAUSES, STREAM: "its way to the reader: front end, link and client"}
"""The engine's causes and the client's, in words."""


def waits(said: object, seconds: float | None) -> dict[str, float]:
    """Seconds by cause. said: a server's milliseconds by cause; seconds: as its client saw it.

    What is left of the client's time is `stream`; between two tries after a 429 it waited too.
    Empty where the server says nothing, or what ours does not: llama.cpp's `timings` are times of
    its kernels and rates, and no account of the whole.
    """
    if seconds is None or not isinstance(said, dict) or not said:
        return {}
    if not all(c in CAUSES and _amount(ms) for c, ms in said.items()):
        return {}
    found = {cause: ms / 1e3 for cause, ms in said.items()}
    rest = seconds - math.fsum(found.values())
    return found | {STREAM: rest} if rest > 0 else found


def _amount(ms: object) -> bool:
    return type(ms) in (int, float) and math.isfinite(ms) and ms >= 0
