"""`tests/gpu`, with what this Python has: pytest, and none of its plugins."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from constraintlab.bench.report import Report
from constraintlab.gpu.here import Here, Say, Unavailable
from constraintlab.limits import cgroup
from constraintlab.limits.estimate import Estimate

WHAT = "tests/gpu: every rung on CUDA against fp64, the engine against the CPU's answers"
LEAST, MOST = 30.0, 170.0

ROOT = Path(__file__).resolve().parents[4]
DRY_RUN, SHARD = "CONSTRAINTLAB_GPU_DRY_RUN", "CONSTRAINTLAB_GPU_SHARD"
"""As tests/gpu/conftest.py has them."""

SHARDS = 8
"""Processes at most: each takes a core to compile kernels, and half a gigabyte of the GPU."""

GOOD = (0, 1, 5)
"""Statuses of a pytest that ran: all passed, some failed, none was in this shard."""


def run(here: Here, say: Say) -> Report:
    """How many passed, failed and were skipped, and why; a failed one fails the part."""
    if not (ROOT / "tests" / "gpu").is_dir():
        raise Unavailable("there is no tests/gpu here: run `make gpu` in a clone of the repository")
    if not find_spec("pytest"):
        raise Unavailable("pytest is not installed: pip install pytest")
    of = max(1, min(SHARDS, int(cgroup.cores()) // 2))
    end = time.monotonic() + here.seconds - 8
    started = [_start(here, n, of) for n in range(of)]
    report, cases = Report("gpu tests", {}), []
    for number, process in enumerate(started):
        found = here.scratch / f"tests-{number}.xml"
        try:
            status = process.wait(max(1.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.terminate()
            report.skip("failed", f"shard {number} of {of} was stopped: it took too long")
            continue
        if status not in GOOD or not found.exists():
            report.skip("failed", f"shard {number} of {of}: pytest ended with status {status}")
            continue
        cases += ET.parse(found).getroot().iter("testcase")
    _tell(report, cases)
    for number in range(of):
        say((here.scratch / f"tests-{number}.log").read_text(errors="replace")[-4000:])
    return report


def _start(here: Here, number: int, of: int) -> subprocess.Popen:
    command = [
        sys.executable, "-m", "pytest", "tests/gpu", "-q", "-ra", "-p", "no:cacheprovider",
        # pyproject's options name plugins that a plain machine lacks.
        "-o", "addopts=", f"--junitxml={here.scratch / f'tests-{number}.xml'}",
    ]  # fmt: skip
    env = os.environ | {SHARD: f"{number}/{of}"} | ({DRY_RUN: "1"} if here.dry else {})
    with (here.scratch / f"tests-{number}.log").open("wb") as log:
        return subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)


def _tell(report: Report, cases: Iterable[ET.Element]) -> None:
    passed, failed, skipped = 0, [], {}
    for case in cases:
        name = f"{case.get('classname', '')}::{case.get('name', '')}"
        wrong = [said for said in case if said.tag in ("failure", "error")]
        left = [said for said in case if said.tag == "skipped"]
        if wrong:
            failed.append(f"{name}: {(wrong[0].get('message') or '').splitlines()[:1]}")
        elif left:
            skipped.setdefault(left[0].get("message") or "no reason", []).append(name)
        else:
            passed += 1
    out = sum(map(len, skipped.values()))
    for metric, n in (("passed", passed), ("failed", len(failed)), ("skipped", out)):
        report.add(f"tests_{metric}", Estimate.of([float(n)], ""), "tests/gpu")
    for why, names in skipped.items():
        report.skip(f"{len(names)} tests", f"{why} ({names[0]})")
    if failed:
        report.skip("failed", f"{len(failed)} tests: {'; '.join(failed[:5])}"[:1500])
