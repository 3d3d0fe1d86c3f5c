"""What is here: ceilings as probed, clocks and limits, and which backend runs each rung and why."""

from __future__ import annotations

from constraintlab.attention.backends import Choice
from constraintlab.bench.report import Report
from constraintlab.gpu.here import Here, Say
from constraintlab.gpu.machine import facts
from constraintlab.limits.estimate import Estimate

WHAT = "driver, clocks, versions, backends; ceilings as probed"
LEAST, MOST = 10.0, 60.0

NVML = ("power_limit_w", "sm_clock_hz", "memory_clock_hz", "temperature_c", "memory_used_bytes")
"""What is told of the GPU before anything runs: warm and throttled is another machine."""


def run(here: Here, say: Say) -> Report:
    """Ceilings are kept for the other parts: they share a home."""
    from constraintlab.limits import probe

    chosen = backends(here.device)
    for name, choice in chosen.items():
        say(f"{name}: {choice}")
    told = {f"backend_{name}": str(choice) for name, choice in chosen.items()}
    report = Report("gpu doctor", facts(here.device) | told)
    caps = probe.measure(here.device, say)
    probe.save(caps)
    for name, estimate in caps.rates():
        report.add(f"probed_{name.replace('.', '_')}", estimate, "limits.probe, on this device")
    _before(report)
    return report


def backends(device: str) -> dict[str, Choice]:
    """Rung → what runs it here, and why each other backend does not."""
    import torch

    from constraintlab.attention import flash, fused, paged
    from constraintlab.attention.paged import PagedShape
    from constraintlab.attention.rung import Shape

    shape = Shape(1, 8, 8, 1024, 1024, 64, torch.bfloat16, device)
    step = PagedShape(8, 8192, 8, 8, 64, torch.bfloat16, device)
    return {
        "fused": fused.choice(shape),
        "flash": flash.choice(shape),
        "paged_decode": paged.choice(step),
        "paged_prefill": paged.choice(step, prefill=True),
    }


def _before(report: Report) -> None:
    """The GPU as NVML has it now; what it can't say comes with the reason."""
    from constraintlab.telemetry.nvml import NvmlSource, throttle_reasons

    source = NvmlSource()
    seen = source.read()
    source.close()
    for name in NVML:
        reading = seen[f"gpu.{name}"]
        if reading.value is None:
            report.skip(f"nvml_{name}", reading.source.removeprefix("n/a: "))
        else:
            report.add(f"nvml_{name}", Estimate.of([reading.value], ""), "before anything ran")
    held = seen["gpu.throttle_reasons"].value
    if held is not None:
        words = ", ".join(throttle_reasons(held)) or "nothing holds the clocks back"
        report.add("nvml_throttle_reasons", Estimate.of([held], ""), words)
