"""Cores and memory inside control groups, read from trees written as Linux lays them out."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constraintlab.limits import cgroup

GB = 10**9
UNLIMITED_V1 = 9223372036854771712


def write(root, **files):
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def machine(tmp_path):
    """A machine with 64 GB, 40 of them available, and no control group."""
    write(
        tmp_path,
        proc__meminfo="MemTotal: 62500000 kB\nMemFree: 1 kB\nMemAvailable: 39062500 kB\n",
        proc__self__cgroup="",
        proc__self__mountinfo="",
    )
    return tmp_path


def v2(root, group, top="/", at="/sys/fs/cgroup"):
    """Mount version 2 with this process in `group`; returns the mount's folder."""
    write(
        root,
        proc__self__cgroup=f"0::{group}\n",
        proc__self__mountinfo=f"29 23 0:26 {top} {at} rw,nosuid - cgroup2 cgroup2 rw\n",
    )
    return root / at[1:]


def v1(root, cpu, memory, top="/"):
    write(
        root,
        proc__self__cgroup=f"9:name=systemd:/\n4:memory:{memory}\n1:cpu,cpuacct:{cpu}\n",
        proc__self__mountinfo=(
            f"32 31 0:29 {top} /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
            f"35 31 0:32 {top} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
            "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
        ),
    )
    return root / "sys/fs/cgroup/cpu,cpuacct", root / "sys/fs/cgroup/memory"


def test_without_control_groups_the_machine_is_the_limit(machine):
    assert cgroup.cores(machine, cpus=8) == 8
    assert cgroup.memory_bytes(machine) == 64 * GB
    assert cgroup.available_bytes(machine) == 40 * GB


def test_without_proc_at_all_the_answer_still_comes(tmp_path):
    assert cgroup.cores(tmp_path, cpus=8) == 8
    assert cgroup.memory_bytes(tmp_path) > 0


def test_a_v2_quota_of_one_and_a_half_cores(machine):
    write(v2(machine, "/"), **{"cpu.max": "150000 100000\n", "memory.max": "2000000000\n"})
    assert cgroup.cores(machine, cpus=8) == 1.5
    assert cgroup.memory_bytes(machine) == 2 * GB


def test_max_means_no_limit(machine):
    write(v2(machine, "/"), **{"cpu.max": "max 100000\n", "memory.max": "max\n"})
    assert cgroup.cores(machine, cpus=8) == 8
    assert cgroup.memory_bytes(machine) == 64 * GB


def test_the_tightest_group_on_the_way_up_counts(machine):
    mount = v2(machine, "/batch.slice/job 7")
    write(
        mount,
        **{
            "batch.slice__cpu.max": "300000 100000\n",
            "batch.slice__memory.max": "8000000000\n",
            "batch.slice__job 7__cpu.max": "max 100000\n",
            "batch.slice__job 7__memory.max": "16000000000\n",
        },
    )
    assert cgroup.cores(machine, cpus=8) == 3
    assert cgroup.memory_bytes(machine) == 8 * GB


def test_a_sibling_group_does_not_count(machine):
    mount = v2(machine, "/mine")
    write(mount, **{"mine__cpu.max": "max 100000\n", "other__cpu.max": "10000 100000\n"})
    assert cgroup.cores(machine, cpus=8) == 8


def test_affinity_counts_when_it_is_tighter_than_the_quota(machine):
    write(v2(machine, "/"), **{"cpu.max": "600000 100000\n"})
    assert cgroup.cores(machine, cpus=2) == 2


def test_a_v1_quota_and_limit(machine):
    cpu, memory = v1(machine, cpu="/docker/abc", memory="/docker/abc")
    write(cpu / "docker/abc", **{"cpu.cfs_quota_us": "50000\n", "cpu.cfs_period_us": "100000\n"})
    write(memory / "docker/abc", **{"memory.limit_in_bytes": "1000000000\n"})
    assert cgroup.cores(machine, cpus=8) == 0.5
    assert cgroup.memory_bytes(machine) == GB


def test_v1_without_limits_says_minus_one_and_a_huge_number(machine):
    cpu, memory = v1(machine, cpu="/", memory="/")
    write(cpu, **{"cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"})
    write(memory, **{"memory.limit_in_bytes": f"{UNLIMITED_V1}\n"})
    assert cgroup.cores(machine, cpus=8) == 8
    assert cgroup.memory_bytes(machine) == 64 * GB


def test_a_container_that_sees_its_own_group_as_the_top_of_the_mount(machine):
    cpu, _ = v1(machine, cpu="/docker/abc", memory="/docker/abc", top="/docker/abc")
    write(cpu, **{"cpu.cfs_quota_us": "200000\n", "cpu.cfs_period_us": "100000\n"})
    assert cgroup.cores(machine, cpus=8) == 2


@pytest.mark.parametrize("path", ["/../other", "/elsewhere"])
def test_a_group_that_the_mount_does_not_show_falls_back_to_the_mount(machine, path):
    write(v2(machine, path, top="/kubepods"), **{"cpu.max": "100000 100000\n"})
    assert cgroup.cores(machine, cpus=8) == 1


def test_a_mount_point_with_a_blank_in_its_name(machine):
    v2(machine, "/", at="/mnt/c\\040groups")
    write(machine / "mnt/c groups", **{"cpu.max": "100000 100000\n"})
    assert cgroup.cores(machine, cpus=8) == 1


def test_memory_left_in_a_group_counts_the_file_cache_that_can_be_dropped(machine):
    write(
        v2(machine, "/"),
        **{
            "memory.max": "4000000000\n",
            "memory.current": "3000000000\n",
            "memory.stat": "anon 2500000000\ninactive_file 500000000\n",
        },
    )
    assert cgroup.available_bytes(machine) == 1.5 * GB


def test_the_machine_may_have_less_left_than_the_group(machine):
    write(v2(machine, "/"), **{"memory.max": "60000000000\n", "memory.current": "1000000000\n"})
    assert cgroup.available_bytes(machine) == 40 * GB


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.just("max"), st.integers(1000, 10**6)), min_size=1, max_size=6))
def test_nested_quotas_give_their_minimum(tmp_path_factory, quotas):
    root = tmp_path_factory.mktemp("tree")
    folder = mount = v2(root, "/" + "/".join(f"g{i}" for i in range(1, len(quotas))))
    for depth, quota in enumerate(quotas):
        folder = folder / f"g{depth}" if depth else mount
        write(folder, **{"cpu.max": f"{quota} 100000\n"})
    expected = min([4.0, *(q / 100000 for q in quotas if q != "max")])
    assert cgroup.cores(root, cpus=4) == expected


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=40))
def test_nonsense_in_the_files_is_no_limit_and_no_crash(tmp_path_factory, own, mounts, limit):
    root = tmp_path_factory.mktemp("nonsense")
    mount = v2(root, "/")
    write(mount, **{"cpu.max": f"x {limit}", "memory.max": f"-{limit}"})
    assert cgroup.cores(root, cpus=4) == 4
    assert cgroup.memory_bytes(root) > 0
    write(root, proc__self__cgroup=own, proc__self__mountinfo=mounts)
    assert cgroup.cores(root, cpus=4) == 4


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no CPU affinity on this system")
def test_this_process_gets_no_more_than_its_affinity():
    assert 0 < cgroup.cores() <= len(os.sched_getaffinity(0))
