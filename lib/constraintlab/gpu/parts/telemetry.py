"""What NVML and GPM say, held against kernels whose work is known; and what asking them costs."""

from __future__ import annotations

import time

from constraintlab.bench.interval import median_of
from constraintlab.bench.report import Report
from constraintlab.gpu import known_work
from constraintlab.gpu.here import NO_GPU, Here, Say
from constraintlab.gpu.watched import Watched, repeated, watch
from constraintlab.limits.estimate import Estimate

WHAT = "telemetry: NVML and GPM against counted work; sampling overhead"
LEAST, MOST = 25.0, 75.0

SECONDS, PAIRS = 2.5, 9
OPENING = 0.3
"""Seconds that a sampler has to open the driver, which it does once; the other of a pair rests as
long."""
LEFT = ("kernel_resident", "sm_active", "sm_occupancy", "tensor_active", "dram_active", "power_w")


def run(here: Here, say: Say) -> Report:
    report = Report("gpu telemetry", {})
    if here.dry:
        for metric in ("dram_active_over_counted", "tensor_active_over_counted"):
            report.skip(metric, f"{NO_GPU}: NVML has no counter to check")
        _overhead(report, here, known_work.product("cpu", 128, "float32"), 0.15, 3)
        return report
    _copy(report, say)
    _product(report, here, say)
    _one_block(report, say)
    _attention(report, here, say)
    _memory(report)
    _overhead(report, here, known_work.product("cuda", 512), 1.0, PAIRS)
    return report


def sources(device: str) -> list:
    """What a lab's panel samples on this device."""
    from constraintlab.telemetry.host import HostSource
    from constraintlab.telemetry.nvml import NvmlSource
    from constraintlab.telemetry.process import ProcessSource
    from constraintlab.telemetry.torch_memory import TorchMemory

    both = [HostSource(), ProcessSource()]
    return [*both, NvmlSource(), TorchMemory()] if device == "cuda" else both


def _watched(known: known_work.Known, say: Say) -> Watched:
    import torch

    say(f"{known.name} …")
    return watch(known.call, sources("cuda"), SECONDS, torch.cuda.synchronize)


def _over(
    report: Report, metric: str, seen: Watched, name: str, peak: float | None, why: str,
    counted: float, context: str,
) -> None:  # fmt: skip
    """(a counter in % of `peak`) ÷ what was counted: 1 where they agree."""
    value, absent = seen.said(f"gpu.{name}")
    if value is None or peak is None:
        report.skip(metric, absent or why)
        return
    ratio = value / 100 * peak / counted
    told = f"{context}; {name} {value:.1f}% of {peak:.4g}/s, counted {counted:.4g}/s"
    report.add(metric, Estimate.of([ratio], ""), told)


def _said(report: Report, seen: Watched, of: str) -> None:
    """Everything that NVML and GPM said meanwhile, or why not."""
    for name in LEFT:
        value, why = seen.said(f"gpu.{name}")
        if value is None:
            report.skip(f"{of}_{name}", why)
        else:
            report.add(f"{of}_{name}", Estimate.of([value], "W" if name == "power_w" else "%"),
                       f"median of samples while {of} ran")  # fmt: skip


def _copy(report: Report, say: Say) -> None:
    import torch

    size = min(2 * known_work.GIB, torch.cuda.mem_get_info()[0] // 8)
    known = known_work.copy("cuda", size)
    seen = _watched(known, say)
    peak, why = known_work.peak_bandwidth()
    _over(report, "dram_active_over_counted", seen, "dram_active", peak, why,
          known.bytes * seen.rate, f"a copy of {size / 1e9:.1f} GB")  # fmt: skip
    _said(report, seen, "copy")


def _product(report: Report, here: Here, say: Say) -> None:
    import torch

    known = known_work.product("cuda", 8192)
    seen, props = _watched(known, say), torch.cuda.get_device_properties(0)
    each = known_work.TENSOR_FLOPS.get((props.major, props.minor))
    clock, why = seen.said("gpu.sm_clock_hz")
    peak = each * props.multi_processor_count * clock if each and clock else None
    why = why or f"no datasheet figure here for capability {props.major}.{props.minor}"
    _over(report, "tensor_active_over_counted", seen, "tensor_active", peak, why,
          known.flops * seen.rate, "a product of 8192 × 8192 in bf16")  # fmt: skip
    _said(report, seen, "product")


def _one_block(report: Report, say: Say) -> None:
    """The utilisation figure that lies: one thread that waits keeps a kernel resident."""
    try:
        _said(report, _watched(known_work.one_block("cuda"), say), "one_block")
    except AttributeError as error:
        report.skip("one_block_kernel_resident", f"this torch has no such kernel: {error}")


def _attention(report: Report, here: Here, say: Say) -> None:
    """The article's first claim: how resident, and at what share of the probed peak."""
    peak = here.value("probed_compute_bfloat16")
    for rung in ("naive", "flash"):
        known = known_work.attention("cuda", rung, 4096)
        seen = _watched(known, say)
        _said(report, seen, f"{rung}_attention")
        metric = f"{rung}_attention_peak_share"
        if peak is None:
            report.skip(metric, "the part `doctor` probed no peak in this run")
        else:
            share = Estimate.of([100 * known.flops * seen.rate / peak], "%")
            report.add(metric, share, "S 4096, H 16, D 64, bf16, useful scores, of probed peak")


def _memory(report: Report) -> None:
    """Memory in use by NVML grows by what is allocated."""
    import torch

    from constraintlab.telemetry.nvml import NvmlSource

    source, size = NvmlSource(), known_work.GIB
    torch.cuda.empty_cache()
    readings = [source.read()["gpu.memory_used_bytes"]]
    held = torch.empty(size, dtype=torch.int8, device="cuda")
    readings.append(source.read()["gpu.memory_used_bytes"])
    del held
    source.close()
    if any(r.value is None for r in readings):
        report.skip("memory_used_over_counted", readings[-1].source.removeprefix("n/a: "))
        return
    ratio = (readings[1].value - readings[0].value) / size
    report.add("memory_used_over_counted", Estimate.of([ratio], ""), "1 GiB allocated")


def _overhead(
    report: Report, here: Here, known: known_work.Known, seconds: float, pairs: int
) -> None:
    """Calls a second with the panel's sampler ÷ without, in interleaved pairs; small kernels, which
    a busy interpreter would slow down first."""
    from constraintlab.telemetry.sampler import Sampler

    def wait() -> None:
        if here.device == "cuda":
            import torch

            torch.cuda.synchronize()

    ratios, sampler = [], Sampler(sources(here.device))
    repeated(known.call, seconds, wait)
    for pair in range(pairs):
        rates = {}
        for sampled in (True, False) if pair % 2 else (False, True):
            if sampled:
                sampler.start()
            time.sleep(OPENING)
            done, took = repeated(known.call, seconds, wait)
            sampler.stop()
            rates[sampled] = done / took
        ratios.append(rates[True] / rates[False])
    report.add("sampled_over_unsampled", median_of(ratios, "×"), "10 Hz, all sources of the panel")
