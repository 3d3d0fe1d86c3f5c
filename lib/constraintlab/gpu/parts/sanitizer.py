"""compute-sanitizer's memcheck over one small launch of each of our Triton kernels."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from constraintlab.bench.report import Report
from constraintlab.gpu.here import NO_GPU, Here, Say, Unavailable
from constraintlab.limits.estimate import Estimate

WHAT = "compute-sanitizer: reads and writes outside of what was allocated"
LEAST, MOST = 25.0, 90.0

USUAL = Path("/usr/local/cuda/bin/compute-sanitizer")
KERNELS = "constraintlab.gpu.small_kernels"


def tool() -> str:
    """Where compute-sanitizer is; Unavailable where it is not."""
    found = shutil.which("compute-sanitizer") or (str(USUAL) if USUAL.exists() else "")
    if not found:
        raise Unavailable("no compute-sanitizer here: it comes with the CUDA toolkit")
    return found


def run(here: Here, say: Say) -> Report:
    """How many errors memcheck found; one fails the part."""
    if here.dry:
        from constraintlab.gpu import small_kernels

        raise Unavailable(f"{NO_GPU}; it would launch {', '.join(small_kernels.CALLS)}")
    command = [tool(), "--tool", "memcheck", "--error-exitcode", "9", sys.executable, "-m", KERNELS]
    # Without torch's own pool each tensor is an allocation, and one past its end is an error.
    env = os.environ | {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}
    done = subprocess.run(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=here.seconds,
    )  # fmt: skip
    say(done.stdout[-20_000:])
    return told(done.stdout, done.returncode)


def told(text: str, status: int) -> Report:
    """What the tool's output and exit status say."""
    summary = re.search(r"ERROR SUMMARY: (\d+) error", text)
    if not summary:
        raise RuntimeError(f"compute-sanitizer ended with status {status} and gave no summary")
    report, errors = Report("gpu sanitizer", {}), int(summary[1])
    report.add("memcheck_errors", Estimate.of([float(errors)], ""), "one launch of each kernel")
    if errors or status:
        report.skip("failed", f"memcheck: {errors} errors, status {status}; see the log")
    return report
