"""The claims on a GPU, from the result of `make gpu`: metric → its row there."""

from __future__ import annotations

import re

from constraintlab.gpu import finding
from constraintlab.gpu.finding import Finding
from constraintlab.limits.resource import Resource

Rows = dict[str, dict]

RATE, BUSY = "x_after_", "device_busy_"
FIRST = "naive"
"""How `bench ablation` calls its metrics, and its first stage."""


def busy(rows: Rows) -> Finding:
    """NVML's figure while textbook attention runs, and the share of the probed peak."""
    need = "naive_attention_kernel_resident", "naive_attention_peak_share"
    if lacking := _missing(rows, *need):
        return lacking
    resident, peak = (rows[metric]["value"] for metric in need)
    words = f"kernel resident {resident:.0f}% at {peak:.1f}% of peak"
    return Finding(words, finding.busy(resident, peak))


def falls(rows: Rows) -> Finding:
    """The engine's device with textbook attention, one request at a time, and with the last rung
    that ran on this machine."""
    stages = [metric.removeprefix(BUSY) for metric in rows if metric.startswith(BUSY)]
    if FIRST not in stages or len(stages) < 2:
        return Finding.nothing(f"this run has no {BUSY}{FIRST} beside another")
    last = stages[-1]
    before, after = (100 * rows[f"{BUSY}{stage}"]["value"] for stage in (FIRST, last))
    words = f"device busy {before:.0f}% ({FIRST}) → {after:.0f}% ({last})"
    return Finding(words, finding.falls(before, after))


def kv(rows: Rows) -> Finding:
    """What binds once requests share a step and the store is contiguous."""
    if lacking := _missing(rows, f"{RATE}batching"):
        return lacking
    bound = _bound(rows[f"{RATE}batching"])
    held = finding.binds(bound, {Resource.KV_CAPACITY.label})
    words = f"what binds once requests share a step: {' and '.join(bound) or 'nothing'}"
    return Finding(words, held)


def paging(rows: Rows) -> Finding:
    """Throughput paged ÷ contiguous, all other rungs the same."""
    if lacking := _missing(rows, f"{RATE}batching", f"{RATE}paged"):
        return lacking
    before, after = rows[f"{RATE}batching"], rows[f"{RATE}paged"]
    gain, low = after["value"] / before["value"], after["low"] / before["high"]
    return Finding(f"× {gain:.2f} (at least {low:.2f})", finding.doubles(gain, low))


def delivery(rows: Rows) -> Finding:
    """Lab 06 needs a server, which a plain CUDA machine can't run without carried packages."""
    return Finding.nothing("`make gpu` streams to no reader; a GPU recording of lab 06 would tell")


def convoys(rows: Rows) -> Finding:
    """Lab 07 needs the same."""
    return Finding.nothing("`make gpu` has no open load; a GPU recording of lab 07 would tell")


def _missing(rows: Rows, *metrics: str) -> Finding | None:
    """That this run has no such figure, naming the first one, or None where it has them all."""
    absent = [metric for metric in metrics if metric not in rows]
    return Finding.nothing(f"this run has no {absent[0]}") if absent else None


def _bound(row: dict) -> list[str]:
    """The resources that a row's context names after `verdict:`, the largest share first."""
    said = re.search(r"verdict: ([^;,]+)", row["context"])
    return said[1].strip().split(" and ") if said else []
