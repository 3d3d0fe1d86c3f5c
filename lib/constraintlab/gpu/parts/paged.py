"""Paged decode: its share of the bandwidth that was measured in the same rounds, and its peers."""

from __future__ import annotations

from dataclasses import replace

from constraintlab.bench.report import Report
from constraintlab.gpu.here import Here, Say

WHAT = "bench paged: paged decode's share of measured bandwidth, batch 32, context 4K"
LEAST, MOST = 30.0, 90.0


def run(here: Here, say: Say) -> Report:
    from constraintlab.bench import paged
    from constraintlab.bench.paged_cases import Case, Plan

    if not here.dry:
        return paged.run(say=say, device=here.device)
    small = Case(batch=2, length=64, sets=2, stream=1 << 20)
    return paged.run(3, say, "cpu", Plan(small, (("", small), ("_w8", replace(small, window=8)))))
