"""The GPU's figures on an invented GPU that keeps to the real NVML's errors and structs."""

import builtins

import pynvml
import pytest

from constraintlab.telemetry import names
from constraintlab.telemetry.gpm import METRICS, OLD, Gpm
from constraintlab.telemetry.nvml import MIG, THROTTLE, NvmlSource, throttle_reasons
from constraintlab.telemetry.source import FIRST
from tests.unit.telemetry.fakes import Clock, FakeNvml

GPM_NAMES = {f"gpu.{name}" for name in METRICS}


def source(nvml, index=0, clock=None, **environ):
    return NvmlSource(index, nvml, clock or Clock(), environ)


def values(readings):
    return {name: r.value for name, r in readings.items() if r.value is not None}


def why(readings):
    return {name: r.source for name, r in readings.items() if r.value is None}


def test_every_figure_in_the_units_of_its_name():
    readings = source(FakeNvml()).read()
    assert values(readings) == {
        "gpu.kernel_resident": 98,
        "gpu.memory_used_bytes": 20 << 30,
        "gpu.memory_total_bytes": 80 << 30,
        "gpu.power_w": 412.5,
        "gpu.power_limit_w": 700.0,
        "gpu.sm_clock_hz": 1755e6,
        "gpu.memory_clock_hz": 2619e6,
        "gpu.throttle_reasons": pynvml.nvmlClocksEventReasonSwPowerCap,
        "gpu.temperature_c": 61,
    }
    assert why(readings) == dict.fromkeys(GPM_NAMES, f"n/a: {FIRST}")
    assert {r.source for r in readings.values() if r.value is not None} == {"measured"}


def test_building_it_touches_no_driver():
    nvml = FakeNvml()
    source(nvml)
    assert nvml.asked == 0


def test_the_second_gpu_has_its_own_names_and_figures():
    nvml = FakeNvml(gpus=2)
    second = source(nvml, index=1)
    readings = second.read()
    assert second.name == "nvml1"
    assert readings["gpu1.power_w"].value == 413.5
    assert set(readings) == {n.replace("gpu.", "gpu1.") for n in names.under("gpu")}


@pytest.mark.parametrize(
    ("visible", "power"),
    [("1", 413.5), ("2,0", 414.5), (" 1 , 2", 413.5), ("GPU-2", 414.5), ("0,-1", 412.5)],
)
def test_gpus_are_counted_as_cuda_shows_them(visible, power):
    readings = source(FakeNvml(gpus=3), CUDA_VISIBLE_DEVICES=visible).read()
    assert readings["gpu.power_w"].value == power


@pytest.mark.parametrize(("visible", "index"), [("", 0), ("-1", 0), ("-1,0", 0), ("0", 1)])
def test_a_hidden_gpu_is_not_looked_at(visible, index):
    readings = source(FakeNvml(gpus=3), index, CUDA_VISIBLE_DEVICES=visible).read()
    reason = f"n/a: CUDA_VISIBLE_DEVICES={visible} hides GPU {index}"
    assert set(why(readings).values()) == {reason} and not values(readings)


def test_a_gpu_that_is_not_there():
    readings = source(FakeNvml(gpus=1), index=1).read()
    assert set(why(readings).values()) == {"n/a: there is no GPU 1: the driver sees 1"}


def test_a_negative_index_is_refused():
    with pytest.raises(ValueError, match="counted from 0"):
        NvmlSource(-1)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (pynvml.NVMLError_LibraryNotFound(), "no NVIDIA driver on this machine"),
        (pynvml.NVMLError_DriverNotLoaded(), "the NVIDIA driver is not loaded"),
        (pynvml.NVMLError_LibRmVersionMismatch(), "was updated: restart this machine"),
        (pynvml.NVMLError_NoPermission(), "insufficient permission"),
        (OSError("odd\nlibrary"), "NVML: odd library"),
    ],
)
def test_without_a_driver_all_is_absent_and_it_is_asked_once(error, reason):
    nvml = FakeNvml()
    nvml.errors["nvmlInit"] = error
    gpu = source(nvml)
    readings = gpu.read()
    assert not values(readings)
    assert all(reason in w for w in why(readings).values())
    assert gpu.read() == readings and nvml.asked == 1


def test_a_driver_that_appears_is_found_after_close():
    nvml = FakeNvml()
    nvml.errors["nvmlInit"] = pynvml.NVMLError_DriverNotLoaded()
    gpu = source(nvml)
    gpu.read()
    nvml.errors.clear()
    gpu.close()
    assert gpu.read()["gpu.kernel_resident"].value == 98


def test_without_pynvml_the_reason_names_the_package(monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "pynvml":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    readings = NvmlSource().read()
    assert all("pip install nvidia-ml-py" in w for w in why(readings).values())
    assert set(readings) == set(names.under("gpu"))


ONE_BY_ONE = {
    "nvmlDeviceGetUtilizationRates": {"gpu.kernel_resident"},
    "nvmlDeviceGetMemoryInfo": {"gpu.memory_used_bytes", "gpu.memory_total_bytes"},
    "nvmlDeviceGetPowerUsage": {"gpu.power_w"},
    "nvmlDeviceGetEnforcedPowerLimit": {"gpu.power_limit_w"},
    "nvmlDeviceGetClockInfo": {"gpu.sm_clock_hz", "gpu.memory_clock_hz"},
    "nvmlDeviceGetCurrentClocksEventReasons": {"gpu.throttle_reasons"},
    "nvmlDeviceGetTemperatureV": {"gpu.temperature_c"},
    "nvmlGpmQueryDeviceSupport": GPM_NAMES,
    "nvmlGpmSampleAlloc": GPM_NAMES,
    "nvmlGpmSampleGet": GPM_NAMES,
}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (pynvml.NVMLError_NoPermission(), "insufficient permission"),
        (pynvml.NVMLError_Timeout(), "NVML: Timeout"),
        (RuntimeError("driver bug"), "NVML: driver bug"),
        (pynvml.NVMLError_NotSupported(), ""),
    ],
)
@pytest.mark.parametrize("function", ONE_BY_ONE)
def test_what_can_not_be_read_is_absent_on_its_own(function, error, reason):
    nvml, clock = FakeNvml(), Clock()
    nvml.errors[function] = error
    gpu = source(nvml, clock=clock)
    gpu.read()
    readings = after(gpu, nvml, clock, 1.0)
    absent = ONE_BY_ONE[function]
    assert set(why(readings)) == absent
    expected = reason or (OLD if absent == GPM_NAMES else "not supported by this GPU")
    assert all(expected in w for w in why(readings).values())


@pytest.mark.parametrize("error", [pynvml.NVMLError_FunctionNotFound(), AttributeError("old")])
def test_an_older_driver_or_package_is_asked_in_the_old_way(error):
    nvml = FakeNvml()
    nvml.errors["nvmlDeviceGetCurrentClocksEventReasons"] = error
    nvml.errors["nvmlDeviceGetTemperatureV"] = error
    readings = source(nvml).read()
    assert readings["gpu.throttle_reasons"].value == pynvml.nvmlClocksThrottleReasonHwSlowdown
    assert readings["gpu.temperature_c"].value == 62


def test_an_older_package_that_knows_no_gpm():
    nvml = FakeNvml()
    nvml.errors["nvmlGpmQueryDeviceSupport"] = AttributeError("nvmlGpmQueryDeviceSupport")
    assert "pip install -U nvidia-ml-py" in source(nvml).read()["gpu.sm_active"].source


def after(gpu, nvml, clock, seconds, **busy):
    """The reading after `seconds` in which the GPM counters grew by `busy` seconds."""
    clock.now += seconds
    for name, amount in {"elapsed": seconds, **busy}.items():
        nvml.counters[name] += amount
    return gpu.read()


def gpm(readings):
    return [readings[f"gpu.{name}"].value for name in METRICS]


def test_gpm_figures_are_over_the_time_between_two_samples():
    nvml, clock = FakeNvml(), Clock(100.0)
    gpu = source(nvml, clock=clock)
    assert gpm(gpu.read()) == [None] * 4
    readings = after(gpu, nvml, clock, 0.2, sm=0.15, occupancy=0.1, tensor=0.05, dram=0.02)
    assert gpm(readings) == pytest.approx([75, 50, 25, 10])
    # The interval before is forgotten: each buffer is the older sample in turn.
    assert gpm(after(gpu, nvml, clock, 0.5, sm=0.5)) == pytest.approx([100, 0, 0, 0])
    assert gpm(after(gpu, nvml, clock, 0.4, dram=0.1)) == pytest.approx([0, 0, 0, 25])


def test_gpm_samples_closer_than_the_driver_renews_them_are_not_taken():
    nvml, clock = FakeNvml(), Clock()
    gpu = source(nvml, clock=clock)
    gpu.read()
    first = after(gpu, nvml, clock, 0.2, sm=0.1)
    held = after(gpu, nvml, clock, 0.1, sm=0.1)
    assert gpm(held) == gpm(first) == pytest.approx([50, 0, 0, 0])
    assert gpm(after(gpu, nvml, clock, 0.1, sm=0.1))[0] == pytest.approx(100)


def test_one_gpm_figure_may_be_missing():
    nvml, clock = FakeNvml(), Clock()
    nvml.metric_errors["tensor"] = pynvml.NVML_ERROR_NOT_SUPPORTED
    gpu = source(nvml, clock=clock)
    gpu.read()
    readings = after(gpu, nvml, clock, 1.0, sm=0.5)
    assert why(readings) == {"gpu.tensor_active": "n/a: not supported by this GPU"}
    assert readings["gpu.sm_active"].value == 50


def test_a_gpm_figure_that_is_not_a_number():
    nvml, clock = FakeNvml(), Clock()
    gpu = source(nvml, clock=clock)
    gpu.read()
    readings = after(gpu, nvml, clock, 1.0, dram=float("nan"))
    assert readings["gpu.dram_active"].source == "n/a: not a finite number"


def test_after_a_failed_sample_the_interval_begins_anew():
    nvml, clock = FakeNvml(), Clock()
    gpu = source(nvml, clock=clock)
    gpu.read()
    nvml.errors["nvmlGpmSampleGet"] = pynvml.NVMLError_Timeout()
    assert "Timeout" in after(gpu, nvml, clock, 1.0)["gpu.sm_active"].source
    nvml.errors.clear()
    assert after(gpu, nvml, clock, 1.0, sm=1.0)["gpu.sm_active"].source == f"n/a: {FIRST}"
    assert gpm(after(gpu, nvml, clock, 1.0, sm=0.5))[0] == 50


def test_before_hopper_there_is_no_gpm():
    readings = source(FakeNvml(gpm=False)).read()
    assert why(readings) == dict.fromkeys(GPM_NAMES, f"n/a: {OLD}")


def test_mig_mode_hides_utilisation_and_says_so():
    readings = source(FakeNvml(mig=True)).read()
    assert why(readings) == dict.fromkeys({"gpu.kernel_resident", *GPM_NAMES}, f"n/a: {MIG}")
    assert readings["gpu.power_w"].value == 412.5


@pytest.mark.parametrize("function", [*ONE_BY_ONE, "nvmlDeviceGetMigMode", "nvmlGpmMetricsGet"])
def test_a_lost_gpu_is_absent_as_a_whole_and_left_alone(function):
    nvml, clock = FakeNvml(), Clock()
    gpu = source(nvml, clock=clock)
    gpu.read()
    gpu.close()
    gpu.read()
    nvml.errors[function] = pynvml.NVMLError_GpuIsLost()
    if function in {"nvmlDeviceGetMigMode", "nvmlGpmQueryDeviceSupport", "nvmlGpmSampleAlloc"}:
        gpu.close()
    readings = after(gpu, nvml, clock, 1.0)
    assert not values(readings)
    assert all("the GPU is lost" in w for w in why(readings).values())
    asked = nvml.asked
    assert gpu.read() == readings and nvml.asked == asked
    gpu.close()
    assert nvml.opened == 0 and not nvml.samples


def test_close_gives_everything_back_twice_and_a_read_reopens():
    nvml, clock = FakeNvml(), Clock()
    gpu = source(nvml, clock=clock)
    gpu.close()
    gpu.read()
    assert nvml.opened == 1 and len(nvml.samples) == 2
    gpu.close()
    gpu.close()
    assert nvml.opened == 0 and not nvml.samples
    assert gpu.read()["gpu.power_w"].value == 412.5
    assert gpm(after(gpu, nvml, clock, 1.0, sm=1.0))[0] == 100


def test_a_sample_is_freed_once():
    nvml = FakeNvml()
    counters = Gpm(nvml, 0, Clock())
    counters.read()
    counters.close()
    counters.close()
    assert nvml.freed == 2 and not nvml.samples


def test_closing_a_gpu_that_refuses_raises_nothing():
    nvml = FakeNvml()
    gpu = source(nvml)
    gpu.read()
    nvml.errors |= dict.fromkeys(
        ("nvmlShutdown", "nvmlGpmSampleFree"), pynvml.NVMLError_GpuIsLost()
    )
    gpu.close()
    nvml.errors.clear()
    assert gpu.read()["gpu.power_w"].value == 412.5


def test_throttle_reasons_in_words():
    assert throttle_reasons(0) == ()
    assert throttle_reasons(4.0 + 64) == ("power limit", "temperature, slowed by the hardware")
    assert throttle_reasons(1 | 1 << 20) == ("idle", "unknown reason 0x100000")


def test_every_throttle_reason_of_the_installed_nvml_has_words():
    bits = {
        value
        for name, value in vars(pynvml).items()
        if name.startswith(("nvmlClocksEventReason", "nvmlClocksThrottleReason"))
        and not name.endswith(("None", "All"))
    }
    assert len(bits) >= 9 and bits <= THROTTLE.keys()
