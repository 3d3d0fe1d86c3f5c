"""The engine with each rung switched on in turn: what binds after each, on this GPU."""

from __future__ import annotations

import time
from importlib import import_module
from importlib.util import find_spec

from constraintlab.bench.report import Report
from constraintlab.gpu.here import Here, Say, Unavailable

WHAT = "bench ablation: the engine's rungs switched on in turn, up to CUDA graphs; what binds"
LEAST, MOST = 40.0, 190.0

MODULE = "constraintlab.bench.ablation"
ROUNDS, MARGIN = 3, 1.3
"""Rounds that the bench makes by itself; how much longer they may take than one round says."""


def run(here: Here, say: Say) -> Report:
    """One round, so that there is something; then as many as the bench makes, if time allows."""
    if not find_spec(MODULE):
        raise Unavailable(f"there is no {MODULE} in this version")
    bench, began = import_module(MODULE), time.monotonic()
    report = bench.run(rounds=1, device=here.device, say=say)
    took = time.monotonic() - began
    rounds = enough(took, here.seconds - took)
    if here.dry or rounds < 2:
        return report
    say(f"{rounds} rounds …")
    return bench.run(rounds=rounds, device=here.device, say=say)


def enough(took: float, left: float) -> int:
    """How many rounds fit into what is left, if one took so long; ROUNDS at most."""
    return min(ROUNDS, int(left / MARGIN / took)) if took > 0 else ROUNDS
