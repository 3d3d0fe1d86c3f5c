"""`NvmlSource`: one NVIDIA GPU as its driver's management library (NVML) sees it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import takewhile
from typing import Any

from constraintlab.telemetry.gpm import METRICS, Gpm
from constraintlab.telemetry.names import under
from constraintlab.telemetry.nvml_errors import MISSING, is_lost, lacks_function, reason
from constraintlab.telemetry.source import Reading, all_absent

MIG = "MIG mode is on, where NVML has no such figure for the whole GPU"

THROTTLE = {
    0x001: "idle",
    0x002: "application clocks setting",
    0x004: "power limit",
    0x008: "hardware slowdown",
    0x010: "sync boost",
    0x020: "temperature, slowed by the driver",
    0x040: "temperature, slowed by the hardware",
    0x080: "external power brake",
    0x100: "display clock setting",
    0x200: "board limit",
    0x400: "reliability limit",
}
"""NVML's bits for what holds the clocks back (`nvmlClocksEventReason…`), in words."""


def throttle_reasons(bits: float) -> tuple[str, ...]:
    """What `gpu.throttle_reasons` says, in words; empty when nothing holds the clocks back."""
    left = int(bits)
    words = [word for bit, word in THROTTLE.items() if left & bit]
    left &= ~sum(THROTTLE)
    return (*words, f"unknown reason {left:#x}") if left else tuple(words)


class NvmlSource:
    """The GPU that CUDA calls `index`: `gpu.…` for the first, `gpu1.…` for the second.

    `CUDA_VISIBLE_DEVICES` is respected, so that these are the figures of the GPU that torch
    uses under this number. In a machine with different GPUs that also takes
    `CUDA_DEVICE_ORDER=PCI_BUS_ID`, since CUDA else numbers the fastest first and NVML does not.

    The driver is first touched by the first `read()`. Without a driver, or once the GPU is lost,
    every value is absent and the driver is left alone until `close()`; what a GPU can't tell is
    absent on its own. `kernel_resident` is over the driver's own interval, a sixth of a second
    to a second; the figures from `gpm` are over 0.15 s or more. `nvml` (a module like `pynvml`),
    `clock` and `environ` are passed in by tests.
    """

    def __init__(
        self,
        index: int = 0,
        nvml: Any = None,
        clock: Callable[[], float] = time.perf_counter,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        if index < 0:
            raise ValueError(f"GPUs are counted from 0: there is no GPU {index}")
        self.index, self.name = index, f"nvml{index or ''}"
        self._given, self._clock, self._environ = nvml, clock, environ
        self._nvml: Any = None
        self._device: Any = None
        self._gpm: Gpm | None = None
        self._mig = False
        self._why: str | None = None

    def read(self) -> Mapping[str, Reading]:
        try:
            if self._device is None and self._why is None:
                self._open()
            readings = {} if self._why else self._look()
        except Exception as error:  # whatever a driver does, the other sources go on
            self._why, readings = reason(error), {}
        if self._why:
            readings = all_absent(_NAMES, self._why)
        prefix = f"gpu{self.index or ''}"
        return {f"{prefix}.{name}": readings[name] for name in _NAMES}

    def close(self) -> None:
        """Give the driver back; the next read opens it again."""
        nvml, gpm = self._nvml, self._gpm
        self._nvml = self._device = self._gpm = self._why = None
        if gpm is not None:
            gpm.close()
        if nvml is not None:
            with suppress(Exception):  # a lost GPU can't be given back, and nobody misses it
                nvml.nvmlShutdown()

    def _open(self) -> None:
        nvml = self._given
        if nvml is None:
            try:
                import pynvml as nvml
            except ImportError:
                self._why = MISSING
                return
        nvml.nvmlInit()
        self._nvml = nvml
        try:
            self._device = _device(nvml, self.index, self._environ.get("CUDA_VISIBLE_DEVICES"))
        except LookupError as error:
            self._why = str(error.args[0])
            return
        self._mig = _mig(nvml, self._device)
        self._gpm = Gpm(nvml, self._device, self._clock)

    def _look(self) -> dict[str, Reading]:
        readings: dict[str, Reading] = {}
        for names, look in _LOOKS.items():
            try:
                values = look(self._nvml, self._device)
            except Exception as error:  # each figure may be missing on its own
                if is_lost(error):
                    raise
                mig = self._mig and names == ("kernel_resident",)
                readings |= all_absent(names, MIG if mig else reason(error))
            else:
                readings |= zip(names, map(Reading.measured, values), strict=True)
        return readings | (all_absent(METRICS, MIG) if self._mig else self._gpm.read())


def _device(nvml: Any, index: int, visible: str | None) -> Any:
    """NVML's handle of CUDA's GPU `index`; LookupError says why there is none."""
    which: str | int = index
    if visible is not None:
        entries = [entry.strip() for entry in visible.split(",")]
        # CUDA stops at the first entry that names no GPU; -1 is the usual way to hide them all.
        listed = list(takewhile(lambda entry: entry and not entry.startswith("-"), entries))
        if index >= len(listed):
            raise LookupError(f"CUDA_VISIBLE_DEVICES={visible} hides GPU {index}")
        which = int(listed[index]) if listed[index].isdecimal() else listed[index]
    if isinstance(which, str):
        return nvml.nvmlDeviceGetHandleByUUID(which)
    count = nvml.nvmlDeviceGetCount()
    if which >= count:
        raise LookupError(f"there is no GPU {which}: the driver sees {count}")
    return nvml.nvmlDeviceGetHandleByIndex(which)


def _mig(nvml: Any, device: Any) -> bool:
    """Whether the handle is of a GPU that is cut into slices, or of such a slice."""
    for ask in (
        lambda: nvml.nvmlDeviceGetMigMode(device)[0],
        lambda: nvml.nvmlDeviceIsMigDeviceHandle(device),
    ):
        try:
            if ask() == 1:
                return True
        except Exception as error:  # most GPUs know no MIG mode
            if is_lost(error):
                raise
    return False


def _memory(nvml: Any, device: Any) -> tuple[float, float]:
    memory = nvml.nvmlDeviceGetMemoryInfo(device)
    return memory.used, memory.total


def _throttle(nvml: Any, device: Any) -> tuple[float]:
    """Named events since driver 535; the older name leaves with CUDA 14."""
    try:
        return (nvml.nvmlDeviceGetCurrentClocksEventReasons(device),)
    except Exception as error:
        if not lacks_function(error):
            raise
        return (nvml.nvmlDeviceGetCurrentClocksThrottleReasons(device),)


def _temperature(nvml: Any, device: Any) -> tuple[float]:
    """The versioned call is newer; the older one leaves with CUDA 14."""
    try:
        return (nvml.nvmlDeviceGetTemperatureV(device, nvml.NVML_TEMPERATURE_GPU),)
    except Exception as error:
        if not lacks_function(error):
            raise
        return (nvml.nvmlDeviceGetTemperature(device, nvml.NVML_TEMPERATURE_GPU),)


_LOOKS: dict[tuple[str, ...], Callable[[Any, Any], tuple[float, ...]]] = {
    ("kernel_resident",): lambda n, d: (n.nvmlDeviceGetUtilizationRates(d).gpu,),
    ("memory_used_bytes", "memory_total_bytes"): _memory,
    ("power_w",): lambda n, d: (n.nvmlDeviceGetPowerUsage(d) / 1e3,),
    ("power_limit_w",): lambda n, d: (n.nvmlDeviceGetEnforcedPowerLimit(d) / 1e3,),
    ("sm_clock_hz",): lambda n, d: (n.nvmlDeviceGetClockInfo(d, n.NVML_CLOCK_SM) * 1e6,),
    ("memory_clock_hz",): lambda n, d: (n.nvmlDeviceGetClockInfo(d, n.NVML_CLOCK_MEM) * 1e6,),
    ("throttle_reasons",): _throttle,
    ("temperature_c",): _temperature,
}

_NAMES = tuple(name.removeprefix("gpu.") for name in under("gpu"))
