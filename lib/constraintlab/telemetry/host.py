"""`HostSource`: the cores and the memory that this process may use, and how busy they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from constraintlab.limits import cgroup
from constraintlab.telemetry.source import FIRST, Reading
from constraintlab.telemetry.trail import Trail

PACE = 0.5
"""Seconds between two looks at all the rest: beside busy cores one costs half a millisecond, and
its rates are over half a second anyway. Reads in between repeat the last one."""

SLOW = 1.0
"""Seconds between two looks at what seldom changes or is dear to read: limits, clock."""


def cpu_hz() -> float | None:
    """The CPU's clock in Hz as the system reports it, None where it does not."""
    import psutil

    frequency = psutil.cpu_freq() if hasattr(psutil, "cpu_freq") else None
    return frequency.current * 1e6 if frequency and frequency.current else None


class HostSource:
    """This machine as this process may use it: affinity and control groups respected.

    Where a CPU quota is tighter than the affinity, `host.cpu_percent` is what the group spends
    of its quota; else it is the busy share of the CPUs that this process may run on. Shares are
    over the last half second (`trail.WINDOW`). `root` stands for `/`; `cpus`, `frequency` and
    `clock` are passed in by tests.
    """

    name = "host"

    def __init__(
        self,
        root: Path = cgroup.ROOT,
        cpus: Callable[[], frozenset[int]] = cgroup.affinity,
        frequency: Callable[[], float | None] = cpu_hz,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._root, self._cpus, self._frequency, self._clock = root, cpus, frequency, clock
        self.close()

    def close(self) -> None:
        """Forget everything: the next read starts anew."""
        self._groups: cgroup.Groups | None = None
        self._quota: tuple[Path, float] | None = None
        self._memory: list[tuple[Path, int]] = []
        self._busy, self._spent, self._periods = Trail(), Trail(), Trail()
        self._slow: dict[str, Reading] = {}
        self._slow_at = self._read_at = float("-inf")
        self._last: Mapping[str, Reading] = {}

    def read(self) -> Mapping[str, Reading]:
        now = self._clock()
        if now - self._read_at >= PACE:
            self._read_at, self._last = now, self._look(now)
        return self._last

    def _look(self, now: float) -> Mapping[str, Reading]:
        if now - self._slow_at >= SLOW:
            self._slow_at = now
            self._slow = self._look_slowly()
        free = cgroup.available_bytes(self._root, self._memory)
        return {
            **self._slow,
            **self._cpu(now),
            "host.throttled_share": self._throttled(now),
            "host.mem_available_bytes": Reading.measured(free),
        }

    def _look_slowly(self) -> dict[str, Reading]:
        self._groups = self._groups or cgroup.groups(self._root)
        cpus = self._cpus()
        quota = min(self._groups.quotas(), key=lambda q: q[1], default=None)
        self._quota = quota if quota and quota[1] < len(cpus) else None
        self._memory = list(self._groups.memory_limits())
        try:
            hz = self._frequency()
        except Exception as error:  # psutil raises whatever an odd machine's files make of it
            clock = Reading.absent(f"the CPU's clock can't be read ({error})")
        else:
            clock = Reading.measured(hz) if hz else Reading.absent("this system does not say")
        cores = self._quota[1] if self._quota else len(cpus)
        return {"host.cores": Reading.measured(cores), "host.cpu_freq_hz": clock}

    def _cpu(self, now: float) -> dict[str, Reading]:
        total, idle, stolen = cpu_ticks(self._root, self._cpus())
        growth = self._busy.growth(now, total, idle, stolen or 0.0)
        if growth is None:
            busy = steal = Reading.absent(FIRST)
        elif growth[1][0] <= 0:
            # All zeros under gVisor; under lxcfs the CPUs may have other numbers than ours.
            busy = steal = Reading.absent("/proc/stat did not move for our CPUs")
        else:
            total, idle, lost = growth[1]
            busy = Reading.measured(_percent(total - idle - lost, total))
            steal = Reading.measured(_percent(lost, total))
        if stolen is None:
            steal = Reading.absent("only Linux counts it")
        if self._quota:
            busy = self._quota_spent(now)
        return {"host.cpu_percent": busy, "host.steal_percent": steal}

    def _quota_spent(self, now: float) -> Reading:
        folder, quota = self._quota
        spent, unit = cgroup.table(folder / "cpu.stat").get("usage_usec"), 1e6
        if spent is None:
            spent, unit = cgroup.number(folder / "cpuacct.usage"), 1e9
        if spent is None:
            return Reading.absent("the control group with the CPU quota does not say its usage")
        growth = self._spent.growth(now, spent / unit)
        if growth is None:
            return Reading.absent(FIRST)
        return Reading.measured(_percent(growth[1][0], growth[0] * quota))

    def _throttled(self, now: float) -> Reading:
        if not self._quota:
            return Reading.absent("no CPU quota is set, so nothing throttles")
        stat = cgroup.table(self._quota[0] / "cpu.stat")
        if "nr_periods" not in stat:
            return Reading.absent("the control group has no readable cpu.stat")
        growth = self._periods.growth(now, stat["nr_periods"], stat.get("nr_throttled", 0))
        if growth is None:
            return Reading.absent(FIRST)
        periods, throttled = growth[1]
        return Reading.measured(throttled / periods if periods else 0.0)


def cpu_ticks(root: Path, cpus: frozenset[int]) -> tuple[float, float, float | None]:
    """(all, idle, stolen) time of `cpus` since boot, from `/proc/stat`, in the kernel's ticks.

    Without `/proc/stat` it is psutil's count over the whole machine, and stolen is None.
    """
    text = cgroup.content(root / "proc/stat")
    if text is None:
        import psutil

        times = psutil.cpu_times()
        return sum(times), times.idle, None
    ours = {f"cpu{n}" for n in cpus}
    rows = [line.split() for line in text.split("\nintr", 1)[0].splitlines()]
    # user nice system idle iowait irq softirq steal; guests are within user already
    ticks = [[int(t) for t in row[1:9]] for row in rows if row and row[0] in ours]
    return (
        sum(sum(t) for t in ticks),
        sum(t[3] + t[4] for t in ticks),
        sum(t[7] for t in ticks),
    )


def _percent(part: float, whole: float) -> float:
    return min(100.0, max(0.0, 100 * part / whole)) if whole > 0 else 0.0
