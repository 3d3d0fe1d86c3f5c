"""On a plain CUDA machine's Python every part runs or says why not; here, as a dry run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from constraintlab.gpu.here import DRY
from constraintlab.gpu.plan import PARTS
from tests.unit.gpu import plain

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def plainly(tmp_path):
    """plainly(words…) → what that Python printed, and its exit status."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    env = os.environ | plain.hooked(hooks) | {"OMP_NUM_THREADS": "1"}
    env.pop("OUT", None)

    def run(*words):
        done = subprocess.run(
            [sys.executable, *words], cwd=ROOT, env=env, text=True, capture_output=True
        )
        return done.stdout + done.stderr, done.returncode

    return run


def test_the_packages_really_are_hidden(plainly):
    code = "import importlib.util as u; print([u.find_spec(n) for n in ('msgspec', 'altair')])"
    assert plainly("-c", code)[0].strip() == "[None, None]"
    assert "No module named 'anywidget'" in plainly("-c", "import anywidget")[0]


def test_what_the_parts_import_is_there_without_a_notebook_s_packages(plainly):
    parts = (f"constraintlab.gpu.parts.{name}" for name in PARTS)
    others = (
        "bench.attention_gpu", "bench.paged", "bench.cli", "recordings.sides", "course",
        "gpu.claims",
    )  # fmt: skip
    modules = *parts, *(f"constraintlab.{name}" for name in others)
    said, status = plainly("-c", "import " + ", ".join(modules))
    assert status == 0, said


def test_a_panel_still_names_what_it_lacks(plainly):
    said, status = plainly("-c", "from constraintlab.panel import Panel")
    assert status and "anywidget" in said


@pytest.mark.long
@pytest.mark.timeout(400)
def test_every_part_runs_or_says_why_and_the_files_are_few_and_small(plainly, tmp_path):
    out = tmp_path / "out"
    only = [word for name in PARTS if name != "tests" for word in ("--only", name)]
    said, status = plainly("-m", "constraintlab.gpu", "--dry-run", "--out", str(out), *only)
    assert status == 0, said
    told = json.loads((out / "dry-run" / "dry-run.json").read_text())
    assert told["label"] == DRY and told["dry_run"]
    states = {part["part"]: part for part in told["parts"]}
    assert set(states) == set(PARTS) - {"tests"}
    ran = {name for name, part in states.items() if part["status"] == "ran"}
    assert ran >= {"doctor", "attention", "paged", "telemetry", "claims"}
    for name in states.keys() - ran:
        assert states[name]["status"] == "unavailable" and states[name]["reason"], states[name]
    assert "make gpu-packages" in states["recordings"]["reason"]
    files = [file for file in out.rglob("*") if file.is_file()]
    assert len(files) <= 8 and sum(file.stat().st_size for file in files) < 300_000
    assert not (out / "gpu.json").exists()
