"""The host's figures, from system files written as Linux lays them out."""

import pytest

from constraintlab.telemetry.host import PACE, HostSource, cpu_ticks
from constraintlab.telemetry.source import FIRST
from tests.unit.telemetry.fakes import Clock


class Machine:
    """Files of a machine with 64 GB: its CPUs' ticks, its memory, its control groups."""

    def __init__(self, root):
        self.root, self.clock, self.cpus = root, Clock(1000.0), frozenset({0, 1})
        self.write("proc/meminfo", "MemTotal: 62500000 kB\nMemAvailable: 39062500 kB\n")
        self.write("proc/self/cgroup", "")
        self.write("proc/self/mountinfo", "")
        self.ticks()

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def ticks(self, **rows):
        """cpu0=(user, system, idle, steal) in ticks."""
        lines = ["cpu  9 9 9 9 9 9 9 9 9 9"]
        for n in range(4):
            user, system, idle, steal = rows.get(f"cpu{n}", (0, 0, 0, 0))
            lines.append(f"cpu{n} {user} 0 {system} {idle} 0 0 0 {steal} 0 0")
        self.write("proc/stat", "\n".join([*lines, "intr 12 34", "cpu0x 1", ""]))

    def v2(self, **files):
        self.write("proc/self/cgroup", "0::/\n")
        self.write("proc/self/mountinfo", "29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
        for name, text in files.items():
            self.write(f"sys/fs/cgroup/{name.replace('_', '.', 1)}", text)

    def v1(self, **files):
        self.write("proc/self/cgroup", "1:cpu,cpuacct:/\n")
        self.write(
            "proc/self/mountinfo",
            "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n",
        )
        for name, text in files.items():
            self.write(f"sys/fs/cgroup/cpu/{name.replace('_', '.', 1)}", text)

    def source(self, hz=lambda: 2.4e9):
        return HostSource(self.root, lambda: self.cpus, hz, self.clock)


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def value(readings, name):
    return readings[f"host.{name}"].value


def test_the_busy_share_is_of_our_cpus_alone(machine):
    source = machine.source()
    source.read()
    machine.clock.now += 0.5
    # CPU 0: 30 of 50 ticks busy; CPU 1: 10 of 50, and 5 stolen; the others do not count.
    machine.ticks(cpu0=(20, 10, 20, 0), cpu1=(10, 0, 35, 5), cpu2=(50, 0, 0, 0))
    readings = source.read()
    assert value(readings, "cpu_percent") == pytest.approx(40)
    assert value(readings, "steal_percent") == pytest.approx(5)
    assert value(readings, "cores") == 2
    assert value(readings, "cpu_freq_hz") == 2.4e9
    assert value(readings, "mem_available_bytes") == 40 * 10**9


def test_the_first_read_has_no_shares(machine):
    readings = machine.source().read()
    assert readings["host.cpu_percent"].source == f"n/a: {FIRST}"
    assert readings["host.throttled_share"].source.startswith("n/a: no CPU quota")


def test_counters_that_stand_still_are_not_called_a_first_reading(machine):
    """gVisor's /proc/stat is all zeros, and lxcfs renumbers the CPUs away from our affinity."""
    source = machine.source()
    for _ in range(3):
        readings = source.read()
        machine.clock.now += PACE
    assert readings["host.cpu_percent"].source == "n/a: /proc/stat did not move for our CPUs"
    assert readings["host.steal_percent"].source == readings["host.cpu_percent"].source


def test_a_v2_quota_makes_the_share_one_of_the_quota(machine):
    machine.v2(cpu_max="50000 100000\n", cpu_stat="usage_usec 0\nnr_periods 10\nnr_throttled 4\n")
    source = machine.source()
    assert value(source.read(), "cpu_percent") is None
    machine.clock.now += 0.5
    machine.v2(cpu_stat="usage_usec 200000\nnr_periods 15\nnr_throttled 7\n")
    readings = source.read()
    assert value(readings, "cores") == 0.5
    # 200 ms of the 250 ms that half a core may spend in half a second.
    assert value(readings, "cpu_percent") == pytest.approx(80)
    assert value(readings, "throttled_share") == pytest.approx(3 / 5)


def test_a_v1_quota_counts_usage_in_nanoseconds(machine):
    machine.v1(
        **{"cpu_cfs_quota_us": "150000\n", "cpu_cfs_period_us": "100000\n"},
        cpuacct_usage="1000000000\n",
        cpu_stat="nr_periods 10\nnr_throttled 0\n",
    )
    source = machine.source()
    source.read()
    machine.clock.now += 0.5
    machine.v1(cpuacct_usage="1600000000\n", cpu_stat="nr_periods 15\nnr_throttled 5\n")
    readings = source.read()
    assert value(readings, "cores") == 1.5
    assert value(readings, "cpu_percent") == pytest.approx(80)
    assert value(readings, "throttled_share") == 1.0


def test_a_quota_wider_than_the_affinity_does_not_bind(machine):
    machine.v2(cpu_max="800000 100000\n", cpu_stat="usage_usec 0\n")
    readings = machine.source().read()
    assert value(readings, "cores") == 2
    assert readings["host.throttled_share"].source.startswith("n/a: no CPU quota")


def test_a_quota_without_a_usage_says_so(machine):
    machine.v2(cpu_max="50000 100000\n")
    readings = machine.source().read()
    assert "does not say its usage" in readings["host.cpu_percent"].source
    assert "no readable cpu.stat" in readings["host.throttled_share"].source


def test_no_period_over_no_period_is_no_throttling(machine):
    machine.v2(cpu_max="50000 100000\n", cpu_stat="usage_usec 0\nnr_periods 10\nnr_throttled 4\n")
    source = machine.source()
    source.read()
    machine.clock.now += PACE
    assert value(source.read(), "throttled_share") == 0.0


def test_between_two_looks_the_last_reading_is_repeated(machine):
    source = machine.source()
    source.read()
    machine.clock.now += 0.5
    machine.ticks(cpu0=(20, 0, 30, 0), cpu1=(20, 0, 30, 0))
    assert value(source.read(), "cpu_percent") == pytest.approx(40)
    machine.ticks(cpu0=(50, 0, 30, 0), cpu1=(50, 0, 30, 0))
    machine.clock.now += PACE - 0.01
    assert value(source.read(), "cpu_percent") == pytest.approx(40)
    machine.clock.now += 0.02
    assert value(source.read(), "cpu_percent") > 40


def test_a_cpu_that_goes_offline_gives_no_share_below_zero(machine):
    source = machine.source()
    machine.ticks(cpu0=(500, 0, 500, 0), cpu1=(500, 0, 500, 0))
    source.read()
    machine.clock.now += 0.5
    machine.ticks(cpu0=(510, 0, 510, 0))
    busy = value(source.read(), "cpu_percent")
    assert busy is None or 0 <= busy <= 100


def test_limits_and_clock_are_looked_at_once_a_second(machine):
    looks = []
    source = machine.source(hz=lambda: looks.append(machine.clock.now) or 1e9)
    for _ in range(21):
        source.read()
        machine.clock.now += 0.125
    assert looks == [1000.0, 1001.0, 1002.0]


def test_a_clock_that_can_not_be_read_is_absent_alone(machine):
    def broken():
        raise KeyError("cpu MHz")

    readings = machine.source(hz=broken).read()
    assert "cpu MHz" in readings["host.cpu_freq_hz"].source
    assert value(readings, "cores") == 2
    assert machine.source(hz=lambda: None).read()["host.cpu_freq_hz"].value is None


def test_without_proc_the_system_is_asked(tmp_path):
    total, idle, stolen = cpu_ticks(tmp_path, frozenset({0}))
    assert total > idle > 0 and stolen is None
    readings = HostSource(tmp_path, lambda: frozenset({0}), lambda: None, Clock()).read()
    assert readings["host.steal_percent"].source == "n/a: only Linux counts it"
    assert value(readings, "mem_available_bytes") > 0


def test_close_forgets_what_was_read(machine):
    source = machine.source()
    source.read()
    machine.clock.now += 0.5
    machine.ticks(cpu0=(50, 0, 0, 0), cpu1=(50, 0, 0, 0))
    source.close()
    assert source.read()["host.cpu_percent"].source == f"n/a: {FIRST}"
