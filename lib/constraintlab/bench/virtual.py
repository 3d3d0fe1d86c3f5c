"""`bench virtual`: how fast the virtual clock is, in how much memory, and whether it scales."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

from constraintlab.bench.interval import median_of
from constraintlab.bench.report import Report
from constraintlab.engine.spawn import environment
from constraintlab.engine.virtual.machines import H100_BLOCKS, h100

Say = Callable[[str], object]

LOAD, SLOTS = 0.8, 32
"""Offered ÷ saturated throughput, and requests that may run at a time."""

SATURATED = 4000
"""Requests that are all there at once, to see what saturated is."""


def one(requests: int, rate: float | None, seed: int = 0, policy: str = "continuous") -> dict:
    """A run in a process of its own."""
    job = {"requests": requests, "rate": rate, "slots": SLOTS, "blocks": H100_BLOCKS,
           "policy": policy, "seed": seed}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "constraintlab.bench.virtual_run"], input=json.dumps(job),
        capture_output=True, text=True, env=environment(), check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def run(requests: int = 1_000_000, say: Say = lambda line: None) -> Report:
    """Every metric, in about three minutes."""
    from constraintlab.limits.machine import describe

    report, few = Report("virtual", describe()), requests // 10
    say("what saturated is …")
    full = one(SATURATED, None)
    rate = LOAD * SATURATED / full["virtual"]
    say(f"{few:,} requests, {requests:,}, and {few:,} again …")
    before, whole, after = (one(n, rate) for n in (few, requests, few))
    where = (
        f"DeepSeek-R1's lengths, Poisson at {rate:.3g} requests/s (load {LOAD}), {SLOTS} slots, "
        f"{H100_BLOCKS * 16:,} tokens of KV, {h100().source}"
    )
    said = f"{requests:,} requests in {whole['seconds']:.0f} s: {where}"
    small = [before["seconds"], after["seconds"]]
    report.add("requests_per_s", median_of([requests / whole["seconds"]], "1/s"), said)
    report.add("peak_memory_mb", median_of([whole["memory_mb"]], "MB"),
               f"of the whole process; {before['memory_mb']:.0f} MB for {few:,}")  # fmt: skip
    report.add("scaling_10x", median_of([whole["seconds"] / s for s in small], "×"),
               f"the time of {requests:,} over that of {few:,}")  # fmt: skip
    for name in ("ttft", "e2e"):
        seen = whole[name]
        for p in ("p50", "p99"):
            v = seen[p]
            say(f"  {name} {p} {v['value']:.3g} s ({v['low']:.3g} … {v['high']:.3g})")
    return report
