"""The cores and the memory that this process may really use, inside its control groups.

A container, a batch job or a systemd slice sees the whole machine in `/proc`, yet may use only a
part of it. Linux says which part in control groups: version 2 (`cpu.max`, `memory.max`), version
1 (`cpu.cfs_quota_us`, `memory.limit_in_bytes`) or both at once. Limits nest, so the tightest on
the way from the process's own group up to the mount counts.

Every function takes `root`, the folder that stands for `/`, and never raises: where no limit can
be read, the machine's own size is the answer (macOS and Windows have no control groups).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path("/")

UNLIMITED = 1 << 62
"""Version 1 writes "no memory limit" as the largest number of pages, just below 2^63 bytes."""


def affinity() -> frozenset[int]:
    """The CPU numbers that this process may be scheduled on."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def cores(root: Path = ROOT, cpus: int | None = None) -> float:
    """Cores' worth of CPU time per second for this process: affinity, within any quota.

    `cpus` is how many CPUs it may be scheduled on, by default what the system says. A quota of
    half a core gives 0.5.
    """
    return min([float(cpus or len(affinity())), *(q for _, q in groups(root).quotas())])


def memory_bytes(root: Path = ROOT) -> int:
    """Bytes of memory for this process: the machine's, within any limit."""
    return min([_machine_memory(root, "total"), *(m for _, m in groups(root).memory_limits())])


def available_bytes(root: Path = ROOT, limits: Iterable[tuple[Path, int]] | None = None) -> int:
    """Bytes that can be allocated now without swapping or being killed, within any limit.

    Under a limit that is what the group has left, plus its file cache that can be dropped.
    `limits`, from `groups(root).memory_limits()`, saves looking them up again.
    """
    free = [_machine_memory(root, "available")]
    for folder, limit in groups(root).memory_limits() if limits is None else limits:
        used = number(folder / "memory.current")
        if used is None:
            used = number(folder / "memory.usage_in_bytes") or 0
        stat = table(folder / "memory.stat")
        dropped = stat.get("total_inactive_file", stat.get("inactive_file", 0))
        free.append(max(0, limit - used + dropped))
    return min(free)


@dataclass(frozen=True)
class Groups:
    """The folders with this process's control files, innermost first."""

    folders: tuple[Path, ...]

    def quotas(self) -> Iterator[tuple[Path, float]]:
        """Each folder that sets a CPU quota, and that quota in cores."""
        for folder in self.folders:
            both = words(folder / "cpu.max")
            if both is None:
                names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
                both = [word for name in names for word in (words(folder / name) or [])]
            if len(both) == 2 and all(_positive(word) for word in both):
                yield folder, int(both[0]) / int(both[1])

    def memory_limits(self) -> Iterator[tuple[Path, int]]:
        """Each folder that sets a memory limit, and that limit in bytes."""
        for folder in self.folders:
            for name in ("memory.max", "memory.limit_in_bytes"):
                limit = number(folder / name)
                if limit and limit < UNLIMITED:
                    yield folder, limit


def groups(root: Path = ROOT) -> Groups:
    """This process's control groups, from `/proc/self/cgroup` and where they are mounted."""
    own = {}
    for line in _lines(root / "proc/self/cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        own |= dict.fromkeys(controllers.split(","), path)
    folders: list[Path] = []
    for controllers, top, mount in _mounts(root):
        for controller in controllers & own.keys():
            inside = _below(PurePosixPath(own[controller]), top)
            chain = [mount / inside, *(mount / p for p in inside.parents)]
            folders += [folder for folder in chain if folder not in folders]
    return Groups(tuple(folders))


def _mounts(root: Path) -> Iterator[tuple[set[str], PurePosixPath, Path]]:
    """Per control group mount: its controllers ("" for version 2), its top, its folder."""
    for line in _lines(root / "proc/self/mountinfo"):
        left, _, right = line.partition(" - ")
        where, what = left.split(), right.split()
        if len(where) < 5 or len(what) < 3:
            continue
        mount = root / _unescape(where[4]).lstrip("/")
        if what[0] == "cgroup2":
            yield {""}, PurePosixPath(_unescape(where[3])), mount
        elif what[0] == "cgroup":
            controllers = set(what[2].split(",")) & {"cpu", "cpuacct", "memory"}
            yield controllers, PurePosixPath(_unescape(where[3])), mount


def _below(path: PurePosixPath, top: PurePosixPath) -> PurePosixPath:
    """`path` seen from a mount that shows only what lies under `top`.

    A container's mount often shows its own group as the top while `/proc` still gives the
    host's path, and a process moved out of its namespace sees `/..`: then the mount itself is
    the nearest that can be read.
    """
    if ".." in path.parts or not path.is_relative_to(top):
        return PurePosixPath()
    return path.relative_to(top)


def _machine_memory(root: Path, which: str) -> int:
    field = {"total": "MemTotal:", "available": "MemAvailable:"}[which]
    _, found, after = (content(root / "proc/meminfo") or "").partition(field)
    if found:
        return int(after.split(None, 1)[0]) * 1024
    import psutil

    return getattr(psutil.virtual_memory(), which)


def content(file: Path) -> str | None:
    """A small system file's text, or None when it can't be read."""
    try:
        # A sampler does this ten times a second beside busy cores: four calls, not open()'s ten,
        # each of which hands the interpreter to another thread and waits to have it back.
        opened = os.open(file, os.O_RDONLY)
        try:
            parts = list(iter(lambda: os.read(opened, 1 << 16), b""))
        finally:
            os.close(opened)
        return b"".join(parts).decode(errors="replace")
    except OSError:
        return None


def words(file: Path) -> list[str] | None:
    """A control file's words, or None when it can't be read."""
    text = content(file)
    return None if text is None else text.split()


def number(file: Path) -> int | None:
    """A control file's number, or None when it is absent or says `max`."""
    first = (words(file) or [""])[0]
    return int(first) if first.isdecimal() else None


def table(file: Path) -> dict[str, int]:
    """A control file of `name number` lines, e.g. `cpu.stat`; empty when it can't be read."""
    found = words(file) or []
    return {k: int(v) for k, v in zip(found[::2], found[1::2], strict=False) if v.isdecimal()}


def _positive(word: str) -> bool:
    return word.isdecimal() and int(word) > 0


def _lines(file: Path) -> list[str]:
    return (content(file) or "").splitlines()


def _unescape(path: str) -> str:
    """A path from mountinfo, where a blank is written `\\040`."""
    return re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), path)
