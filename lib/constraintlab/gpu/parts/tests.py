"""`tests/gpu`, with what this Python has: pytest, and none of its plugins."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from constraintlab.bench.report import Report
from constraintlab.gpu.here import Here, Say, Unavailable
from constraintlab.limits.estimate import Estimate

WHAT = "tests/gpu: every rung on CUDA against fp64, the engine against the CPU's answers"
LEAST, MOST = 30.0, 180.0

ROOT = Path(__file__).resolve().parents[4]
DRY_RUN = "CONSTRAINTLAB_GPU_DRY_RUN"
"""Set, tests/gpu runs over the CPU's backends: so that the tests themselves are known to work."""


def run(here: Here, say: Say) -> Report:
    """How many passed, failed and were skipped, and why; a failed one fails the part."""
    if not (ROOT / "tests" / "gpu").is_dir():
        raise Unavailable("there is no tests/gpu here: run `make gpu` in a clone of the repository")
    if not find_spec("pytest"):
        raise Unavailable("pytest is not installed: pip install pytest")
    found = here.scratch / "tests.xml"
    command = [
        sys.executable, "-m", "pytest", "tests/gpu", "-q", "-ra", "-p", "no:cacheprovider",
        # pyproject's options name plugins that a plain machine lacks.
        "-o", "addopts=", f"--junitxml={found}",
    ]  # fmt: skip
    env = os.environ | ({DRY_RUN: "1"} if here.dry else {})
    status = subprocess.run(command, cwd=ROOT, env=env).returncode
    if not found.exists():
        raise RuntimeError(f"pytest ended with status {status} and left no results")
    report = Report("gpu tests", {})
    _tell(report, ET.parse(found).getroot().iter("testcase"))
    return report


def _tell(report: Report, cases: Iterable[ET.Element]) -> None:
    passed, failed, skipped = 0, [], {}
    for case in cases:
        name = f"{case.get('classname', '')}::{case.get('name', '')}"
        wrong = case.find("failure") if case.find("failure") is not None else case.find("error")
        left = case.find("skipped")
        if wrong is not None:
            failed.append(f"{name}: {(wrong.get('message') or '').splitlines()[:1]}")
        elif left is not None:
            skipped.setdefault(left.get("message") or "no reason", []).append(name)
        else:
            passed += 1
    left = sum(map(len, skipped.values()))
    for metric, n in (("passed", passed), ("failed", len(failed)), ("skipped", left)):
        report.add(f"tests_{metric}", Estimate.of([float(n)], ""), "tests/gpu")
    for why, names in skipped.items():
        report.skip(f"{len(names)} tests", f"{why} ({names[0]})")
    if failed:
        report.skip("failed", f"{len(failed)} tests: {'; '.join(failed[:5])}"[:1500])
