"""One run on the virtual clock, alone in a process: `python -m constraintlab.bench.virtual_run`.

Reads {"requests", "rate", "slots", "blocks", "policy", "seed"} as JSON from stdin (no rate: all
at once) and prints what it took as JSON: its memory is then that of this run and of nothing else.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from random import Random

from constraintlab.engine.kv.counted import CountedKV
from constraintlab.engine.plan import Budget
from constraintlab.engine.setup import POLICIES
from constraintlab.engine.virtual.clock import Clock
from constraintlab.engine.virtual.ghost import Ghost
from constraintlab.engine.virtual.machines import h100
from constraintlab.load import profiles
from constraintlab.load.histogram import Histogram

PROFILE = "reasoning"
STEP_TOKENS = 2048
"""Tokens that a step may compute."""


def coming(n: int, rate: float | None, seed: int) -> Iterator[Ghost]:
    """Poisson arrivals with DeepSeek-R1's lengths."""
    lengths = profiles.load(PROFILE).draws(Random(f"{seed} lengths"))
    random, at = Random(f"{seed} arrivals"), 0.0
    for i in range(n):
        at += random.expovariate(rate) if rate else 0.0
        drawn = next(lengths)
        yield Ghost(i, drawn.prompt, drawn.output, at)


def run(job: dict) -> dict:
    """What it took, and what the requests saw."""
    ttft, e2e = Histogram(), Histogram()

    def ended(ghost: Ghost) -> None:
        ttft.add(ghost.first - ghost.arrival)
        e2e.add(ghost.ended - ghost.arrival)

    clock = Clock(
        POLICIES[job["policy"]](), CountedKV(job["blocks"]), Budget(job["slots"], STEP_TOKENS),
        h100(), ended,
    )  # fmt: skip
    began = time.perf_counter()
    clock.run(coming(job["requests"], job["rate"], job["seed"]))
    took = time.perf_counter() - began
    return {
        "seconds": took, "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        "tokens": clock.tokens, "plans": clock.plans, "virtual": clock.now,
        "batch": clock.tokens / clock.steps,
        "ttft": ttft.distribution().json(), "e2e": e2e.distribution().json(),
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(run(json.load(sys.stdin))))
