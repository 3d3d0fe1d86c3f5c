"""The labs' runs on this GPU, recorded as `make execute` does; their notebooks stay as they are."""

from __future__ import annotations

import os
import tarfile
import time
from pathlib import Path

from constraintlab.bench.report import Report
from constraintlab.gpu import packages
from constraintlab.gpu.here import DRY, Here, Say, Unavailable
from constraintlab.limits.estimate import Estimate

WHAT = "recordings of the labs' runs, as many as the time allows"
LEAST, MOST = 40.0, 460.0

LABS = Path(__file__).resolve().parents[4] / "labs"
ARCHIVE = "recordings.tar"
COMMAND = "make gpu ONLY=recordings"


def run(here: Here, say: Say) -> Report:
    """A recording of each lab in order, all in one archive; a dry run records lab 00, small, and
    keeps nothing."""
    packages.carry(here.scratch)
    if lacking := packages.lacking():
        raise Unavailable(lacking)
    folder, end = here.scratch / "recordings", time.monotonic() + here.seconds - 10
    os.environ |= {
        "CONSTRAINTLAB_RECORD": str(folder), "CONSTRAINTLAB_COMMAND": COMMAND,
        "CONSTRAINTLAB_PRESET": "ci" if here.dry else "full",
    }  # fmt: skip
    report, usual = Report("gpu recordings", {}), 0.0
    for path in sorted(LABS.glob("*.ipynb"))[: 1 if here.dry else None]:
        metric, left = f"recorded_{path.name[:2]}", end - time.monotonic()
        if left < usual:
            report.skip(metric, f"{left:.0f} s are left, a lab took {usual:.0f}: `{COMMAND}`")
            continue
        began = time.monotonic()
        say(f"{path.stem} …")
        why = recorded(path, left)
        took = time.monotonic() - began
        usual = max(usual, took)
        if why:
            report.skip(metric, why)
        else:
            report.add(metric, Estimate.of([took], "s"), DRY if here.dry else COMMAND)
    made = sorted(folder.glob("*-gpu.jsonl.gz"))
    if made:
        with tarfile.open(here.out / ARCHIVE, "w") as tar:
            for file in made:
                tar.add(file, file.name)
        say(f"{ARCHIVE}: unpack it in data/recordings")
    return report


def recorded(path: Path, seconds: float) -> str:
    """Run a notebook in a kernel of its own, which writes its recording; why that failed."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    client = NotebookClient(
        nbformat.read(path, as_version=4), timeout=max(1, int(seconds)), kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}}, store_widget_state=False,
    )  # fmt: skip
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        return " ".join(f"{type(error).__name__}: {error}".split())[-300:]
    return ""
