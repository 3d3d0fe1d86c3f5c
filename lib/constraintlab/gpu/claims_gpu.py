"""The claims on a GPU, from the result of `make gpu`: metric → its row there."""

from __future__ import annotations

from constraintlab.gpu import finding
from constraintlab.gpu.finding import Finding

Rows = dict[str, dict]


def _missing(rows: Rows, *metrics: str) -> Finding | None:
    """That this run has no such figure, naming the first one, or None where it has them all."""
    absent = [metric for metric in metrics if metric not in rows]
    return Finding.nothing(f"this run has no {absent[0]}") if absent else None


def busy(rows: Rows) -> Finding:
    """NVML's figure while textbook attention runs, and the share of the probed peak."""
    need = "naive_attention_kernel_resident", "naive_attention_peak_share"
    if lacking := _missing(rows, *need):
        return lacking
    resident, peak = (rows[metric]["value"] for metric in need)
    words = f"kernel resident {resident:.0f}% at {peak:.1f}% of peak"
    return Finding(words, finding.busy(resident, peak))
