"""What a process spends, from counters set by hand; torch's memory, from an invented torch."""

from types import SimpleNamespace

import pytest

from constraintlab.telemetry.process import ProcessSource, Usage, own_rss, own_usage
from constraintlab.telemetry.source import FIRST
from constraintlab.telemetry.torch_memory import TorchMemory
from tests.unit.telemetry.fakes import Clock


def test_rates_over_the_time_between():
    clock, usage = Clock(10.0), [Usage(5.0, 100, (10, 20))]
    source = ProcessSource(lambda: usage[-1], lambda: 4096, clock)
    first = source.read()
    assert first["proc.rss_bytes"].value == 4096
    assert first["proc.cpu_cores"].source == f"n/a: {FIRST}"
    clock.now += 0.5
    usage.append(Usage(5.75, 350, (11, 24)))
    assert {n: r.value for n, r in source.read().items()} == {
        "proc.rss_bytes": 4096,
        "proc.cpu_cores": pytest.approx(1.5),
        "proc.minor_faults_per_s": pytest.approx(500),
        "proc.voluntary_switches_per_s": pytest.approx(2),
        "proc.involuntary_switches_per_s": pytest.approx(8),
    }


def test_what_a_system_does_not_count_is_absent_alone():
    clock = Clock()
    source = ProcessSource(lambda: Usage(clock.now), lambda: 1, clock)
    source.read()
    clock.now += 1.0
    readings = source.read()
    assert readings["proc.cpu_cores"].value == pytest.approx(1)
    assert "does not count it" in readings["proc.minor_faults_per_s"].source


def test_close_forgets_the_counters():
    clock = Clock()
    source = ProcessSource(lambda: Usage(clock.now, 0, (0, 0)), lambda: 1, clock)
    source.read()
    clock.now += 1.0
    source.close()
    assert source.read()["proc.cpu_cores"].source == f"n/a: {FIRST}"


def test_this_process_has_spent_something(tmp_path):
    before = own_usage()
    touched = bytearray(64 << 20)
    touched[:: 1 << 12] = b"x" * len(touched[:: 1 << 12])
    after = own_usage()
    assert after.cpu_seconds > before.cpu_seconds
    assert after.minor_faults is None or after.minor_faults > before.minor_faults
    assert own_rss() > len(touched)
    # psutil, asked where there is no /proc, agrees.
    assert own_rss(tmp_path) == pytest.approx(own_rss(), rel=0.1)


def torch(initialised=True, cuda="13.0", allocated=lambda _: 5):
    return SimpleNamespace(
        version=SimpleNamespace(cuda=cuda, hip=None),
        cuda=SimpleNamespace(
            is_initialized=lambda: initialised,
            memory_allocated=allocated,
            memory_reserved=lambda _: 8,
            max_memory_allocated=lambda device: 6 + device,
        ),
    )


def fail(_):
    raise RuntimeError("CUDA error:\n unspecified launch failure")


def test_torchs_memory_on_its_device():
    readings = TorchMemory(1, {"torch": torch()}).read()
    assert [r.value for r in readings.values()] == [5, 8, 7]


@pytest.mark.parametrize(
    ("modules", "why"),
    [
        ({}, "torch is not imported"),
        ({"torch": SimpleNamespace()}, "torch is not imported"),
        ({"torch": torch(cuda=None)}, "has no CUDA"),
        ({"torch": torch(initialised=False)}, "nothing has used CUDA yet"),
        ({"torch": torch(allocated=fail)}, "torch: CUDA error: unspecified launch failure"),
    ],
)
def test_torch_is_never_woken(modules, why):
    readings = TorchMemory(0, modules).read()
    assert len(readings) == 3 and all(why in r.source for r in readings.values())


def test_resident_memory_is_looked_at_twice_a_second():
    now, looks = [0.0], []
    source = ProcessSource(
        lambda: Usage(0.0), lambda: looks.append(now[0]) or len(looks), lambda: now[0]
    )
    seen = []
    for tenth in range(8):
        now[0] = tenth / 10
        seen.append(source.read()["proc.rss_bytes"].value)
    assert looks == [0.0, 0.5] and seen == [1, 1, 1, 1, 1, 2, 2, 2]
