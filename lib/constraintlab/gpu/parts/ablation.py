"""The engine with each rung switched on in turn: what binds after each, on this GPU."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec

from constraintlab.bench.report import Report
from constraintlab.gpu.here import Here, Say, Unavailable

WHAT = "bench ablation: naive → fused → flash → batching → paged → CUDA graphs, and what binds"
LEAST, MOST = 40.0, 150.0

MODULE = "constraintlab.bench.ablation"
CALL = "from constraintlab.cli import app; app(prog_name='constraintlab')"


def run(here: Here, say: Say) -> Report:
    """The bench's own JSON, asked for by its name as a person would."""
    if not find_spec(MODULE):
        raise Unavailable(f"there is no {MODULE} in this version")
    flags = ["--tiny"] if here.dry else []
    done = subprocess.run(
        [sys.executable, "-c", CALL, "bench", "ablation", "--json", *flags],
        stdout=subprocess.PIPE, text=True, timeout=here.seconds,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"bench ablation ended with status {done.returncode}, see above")
    told = json.loads(done.stdout)
    return Report("gpu ablation", told["machine"], told["results"], told["skipped"])
