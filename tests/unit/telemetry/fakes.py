"""Stand-ins for a clock, a machine's system files, and NVML with one GPU per entry."""

import ctypes
from types import SimpleNamespace

import pynvml

from constraintlab.telemetry.source import Reading

GPM_METRICS = {
    pynvml.NVML_GPM_METRIC_SM_UTIL: "sm",
    pynvml.NVML_GPM_METRIC_SM_OCCUPANCY: "occupancy",
    pynvml.NVML_GPM_METRIC_ANY_TENSOR_UTIL: "tensor",
    pynvml.NVML_GPM_METRIC_DRAM_BW_UTIL: "dram",
}


class Clock:
    """Shows what it is set to; `wait` moves it on, as sleeping would, and never says stop."""

    def __init__(self, now=0.0):
        self.now = now

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.now += seconds
        return False


class Steady:
    """A source with one value."""

    def __init__(self, name="steady", value=1.0):
        self.name, self.value, self.closed = name, value, 0

    def read(self):
        return {f"{self.name}.value": Reading.measured(self.value)}

    def close(self):
        self.closed += 1


class FakeNvml:
    """NVML as `pynvml` offers it: its real errors, constants and structs, an invented GPU.

    `errors` maps a function's name to what it raises. `counters` are the GPM counters: busy
    seconds by metric beside elapsed seconds, which a sample copies; like the driver, it wants
    the older sample first.
    """

    def __init__(self, gpus=1, gpm=True, mig=False):
        self.errors = {}
        self.gpus, self.gpm, self.mig = gpus, gpm, mig
        self.opened = self.asked = 0
        self.counters = dict.fromkeys(["elapsed", *GPM_METRICS.values()], 0.0)
        self.metric_errors = {}
        self.samples = {}
        self.freed = 0

    def __getattr__(self, name):
        if not name.startswith("nvml"):
            return getattr(pynvml, name)
        answer = getattr(type(self), f"_{name}", None)
        if answer is None:
            raise AttributeError(name)

        def call(*args):
            self.asked += 1
            if name in self.errors:
                raise self.errors[name]
            return answer(self, *args)

        return call

    def _nvmlInit(self):
        self.opened += 1

    def _nvmlShutdown(self):
        assert self.opened > 0, "shut down more often than opened"
        self.opened -= 1

    def _nvmlDeviceGetCount(self):
        return self.gpus

    def _nvmlDeviceGetHandleByIndex(self, index):
        if not 0 <= index < self.gpus:
            raise pynvml.NVMLError_InvalidArgument
        return index

    def _nvmlDeviceGetHandleByUUID(self, uuid):
        if not uuid.startswith("GPU-"):
            raise pynvml.NVMLError_NotFound
        return int(uuid.removeprefix("GPU-"))

    def _nvmlDeviceGetMigMode(self, device):
        return [int(self.mig), int(self.mig)]

    def _nvmlDeviceGetUtilizationRates(self, device):
        if self.mig:
            raise pynvml.NVMLError_NotSupported
        return SimpleNamespace(gpu=98, memory=40)

    def _nvmlDeviceGetMemoryInfo(self, device):
        return SimpleNamespace(used=20 << 30, total=80 << 30, free=60 << 30)

    def _nvmlDeviceGetPowerUsage(self, device):
        return 412_500 + device * 1000

    def _nvmlDeviceGetEnforcedPowerLimit(self, device):
        return 700_000

    def _nvmlDeviceGetClockInfo(self, device, which):
        return {pynvml.NVML_CLOCK_SM: 1755, pynvml.NVML_CLOCK_MEM: 2619}[which]

    def _nvmlDeviceGetCurrentClocksEventReasons(self, device):
        return pynvml.nvmlClocksEventReasonSwPowerCap

    def _nvmlDeviceGetCurrentClocksThrottleReasons(self, device):
        return pynvml.nvmlClocksThrottleReasonHwSlowdown

    def _nvmlDeviceGetTemperatureV(self, device, sensor):
        return 61

    def _nvmlDeviceGetTemperature(self, device, sensor):
        return 62

    def _nvmlGpmQueryDeviceSupport(self, device):
        return SimpleNamespace(isSupportedDevice=int(self.gpm))

    def _nvmlGpmSampleAlloc(self):
        address = 0x1000 * (len(self.samples) + 1)
        self.samples[address] = None
        return ctypes.cast(address, pynvml.c_nvmlGpmSample_t)

    def _nvmlGpmSampleGet(self, device, sample):
        self.samples[_address(sample)] = dict(self.counters)
        return sample

    def _nvmlGpmSampleFree(self, sample):
        self.freed += 1
        del self.samples[_address(sample)]

    def _nvmlGpmMetricsGet(self, ask):
        assert ask.version == pynvml.NVML_GPM_METRICS_GET_VERSION
        before = self.samples[_address(ask.sample1)]
        after = self.samples[_address(ask.sample2)]
        elapsed = after["elapsed"] - before["elapsed"]
        if elapsed <= 0:
            raise pynvml.NVMLError_InvalidArgument
        for metric in ask.metrics[: ask.numMetrics]:
            name = GPM_METRICS[metric.metricId]
            metric.nvmlReturn = self.metric_errors.get(name, pynvml.NVML_SUCCESS)
            metric.value = 100 * (after[name] - before[name]) / elapsed
        return ask


def _address(sample):
    return ctypes.cast(sample, ctypes.c_void_p).value
