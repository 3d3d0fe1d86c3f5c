"""`Gpm`: how much of the GPU works, from its own counters (GPU Performance Monitoring).

"Some kernel was resident" says nothing of how many SMs had work, or whether their tensor cores
or the DRAM did. Hopper and newer GPUs count that; a figure comes from two samples of the
counters, and the driver renews them only about every 100 ms.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from constraintlab.telemetry.nvml_errors import is_lost, lacks_function, reason
from constraintlab.telemetry.source import FIRST, Reading, all_absent

METRICS = {
    "sm_active": "NVML_GPM_METRIC_SM_UTIL",
    "sm_occupancy": "NVML_GPM_METRIC_SM_OCCUPANCY",
    "tensor_active": "NVML_GPM_METRIC_ANY_TENSOR_UTIL",
    "dram_active": "NVML_GPM_METRIC_DRAM_BW_UTIL",
}
"""Our name for a figure → NVML's name for its number. All four are per cent."""

APART = 0.15
"""Least seconds between the two samples of a figure; reads in between repeat the last one.

NVIDIA's reference asks for more than 100 ms, which a sampler at 10 Hz would just miss."""

OLD = "this GPU has no GPM counters: they came with Hopper"


class Gpm:
    """The GPM figures of one opened GPU; `read` raises only when the GPU is lost."""

    def __init__(self, nvml: Any, device: Any, clock: Callable[[], float]) -> None:
        self._nvml, self._device, self._clock = nvml, device, clock
        self._buffers: list[Any] = []
        self._taken = 0
        self._at = float("-inf")
        self._last: dict[str, Reading] = {}
        self._why: str | None = None

    def read(self) -> dict[str, Reading]:
        """Every figure of `METRICS`, over the 0.15 s or more between the last two samples."""
        now = self._clock()
        if self._why is None and now - self._at >= APART:
            self._at = now
            try:
                self._last = self._look()
            except Exception as error:
                if is_lost(error):
                    raise
                # A failed sample is no start of an interval: the next one begins anew.
                self._taken = 0
                self._last = all_absent(METRICS, reason(error))
                if lacks_function(error) or _unsupported(error):
                    self._why = OLD if _unsupported(error) else reason(error)
        return all_absent(METRICS, self._why) if self._why else self._last

    def close(self) -> None:
        """Free the samples; no read may follow."""
        buffers, self._buffers = self._buffers, []
        for buffer in buffers:
            with suppress(Exception):  # the memory of a lost GPU went with it
                self._nvml.nvmlGpmSampleFree(buffer)

    def _look(self) -> dict[str, Reading]:
        nvml = self._nvml
        if not self._buffers:
            if not nvml.nvmlGpmQueryDeviceSupport(self._device).isSupportedDevice:
                self._why = OLD
                return {}
            for _ in range(2):
                self._buffers.append(nvml.nvmlGpmSampleAlloc())
        # The buffers change places: the newer sample of last time is the older one now.
        self._buffers.reverse()
        before, after = self._buffers
        nvml.nvmlGpmSampleGet(self._device, after)
        self._taken += 1
        if self._taken == 1:
            return all_absent(METRICS, FIRST)
        return self._figures(before, after)

    def _figures(self, before: Any, after: Any) -> dict[str, Reading]:
        nvml = self._nvml
        ask = nvml.c_nvmlGpmMetricsGet_t()
        ask.version = nvml.NVML_GPM_METRICS_GET_VERSION
        ask.numMetrics = len(METRICS)
        ask.sample1, ask.sample2 = before, after
        for metric, constant in zip(ask.metrics, METRICS.values(), strict=False):
            metric.metricId = getattr(nvml, constant)
        nvml.nvmlGpmMetricsGet(ask)
        return {
            name: Reading.absent(reason(nvml.NVMLError(metric.nvmlReturn)))
            if metric.nvmlReturn
            else Reading.measured(metric.value)
            for name, metric in zip(METRICS, ask.metrics, strict=False)
        }


def _unsupported(error: Exception) -> bool:
    return type(error).__name__ == "NVMLError_NotSupported"
