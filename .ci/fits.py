"""Does every lab run in 1 GB of memory, on one core? `make fits [ONLY=05]`, as root on Linux.

Each lab runs, in the sizes of CONSTRAINTLAB_PRESET (the small ones unless it is set), under nbval
in a control group of its own: what the kernel, the engines that it starts and nbval itself take
together is counted by the kernel and kept below the limit by it, so a lab that needs more is
killed. Printed: seconds, the most memory that was not page cache, and whether its claims held.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GROUPS = Path("/sys/fs/cgroup")
NBVAL = (
    "-m", "pytest", "-q", "-p", "tests.conftest", "--nbval-lax", "--nbval-current-env",
    "--nbval-cell-timeout=300", "-p", "no:cacheprovider",
)  # fmt: skip


class Group:
    """A control group with so much memory, in bytes: version 2, or 1 where only that has memory.

    Raises OSError where this user may make none.
    """

    def __init__(self, name: str, memory: int) -> None:
        two = "memory" in _read(GROUPS / "cgroup.subtree_control").split()
        self.path = (GROUPS if two else GROUPS / "memory") / name
        self.path.mkdir()
        (self.path / ("memory.max" if two else "memory.limit_in_bytes")).write_text(str(memory))
        self._anonymous = ("anon",) if two else ("total_rss", "total_shmem")
        self.peak = 0

    def join(self) -> None:
        """This process, and what it starts, count here from now on."""
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def look(self) -> None:
        """Keep the most that was held at one time, page cache left out."""
        stat = dict(line.split() for line in _read(self.path / "memory.stat").splitlines())
        self.peak = max(self.peak, sum(int(stat.get(name, 0)) for name in self._anonymous))

    def remove(self) -> None:
        """Once its processes have ended; they are given some seconds."""
        for _ in range(100):
            with suppress(OSError):
                self.path.rmdir()
                return
            time.sleep(0.1)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def fit(lab: Path, memory: int, cores: int) -> tuple[bool, float, int, str]:
    """(whether it ran and its claims held, seconds, peak bytes, what it printed)."""
    group, over = Group(f"constraintlab-{os.getpid()}-{lab.name[:2]}", memory), threading.Event()

    def confined() -> None:
        group.join()
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])

    def watch() -> None:
        while not over.wait(0.1):
            group.look()

    env = {"CONSTRAINTLAB_PRESET": "ci", **os.environ}
    began, watcher = time.perf_counter(), threading.Thread(target=watch)
    watcher.start()
    try:
        done = subprocess.run(
            [sys.executable, *NBVAL, str(lab)], cwd=ROOT, env=env, preexec_fn=confined,
            capture_output=True, text=True,
        )  # fmt: skip
    finally:
        over.set()
        watcher.join()
        group.remove()
    told = done.stdout + done.stderr
    return done.returncode == 0, time.perf_counter() - began, group.peak, told


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labs", nargs="*", help="numbers, such as 05; all unless given")
    parser.add_argument("--memory", type=float, default=1.0, help="GiB (1)")
    parser.add_argument("--cores", type=int, default=1)
    asked = parser.parse_args()
    labs = sorted((ROOT / "labs").glob("*.ipynb"))
    labs = [lab for lab in labs if not asked.labs or lab.name[:2] in asked.labs]
    if not labs:
        sys.exit(f"fits: no lab starts with {' or '.join(asked.labs)}: see labs/")
    failed = 0
    for lab in labs:
        try:
            ran, seconds, peak, told = fit(lab, int(asked.memory * 2**30), asked.cores)
        except OSError as error:
            sys.exit(f"fits: no control group can be made here ({error}): run it as root, on Linux")
        failed += not ran
        print(
            f"{lab.name[:2]}: {'fits' if ran else 'DOES NOT FIT'}, {seconds:.0f} s, "
            f"{peak / 2**20:.0f} MiB at most, of {asked.memory:g} GiB and {asked.cores} core",
            flush=True,
        )
        if not ran:
            print(told[:6000], flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
