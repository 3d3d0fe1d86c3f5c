"""Which machine this is: the fingerprint that measured capacities belong to."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from pathlib import Path

from constraintlab.limits import cgroup


def cpu_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name as its maker writes it, else what Python's platform module knows."""
    try:
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def huge_pages(setting: Path = Path("/sys/kernel/mm/transparent_hugepage/enabled")) -> str:
    """The kernel's transparent huge page mode (`always`, `madvise`, `never`), or `unknown`."""
    try:
        return setting.read_text().split("[")[1].split("]")[0]
    except (OSError, IndexError):
        return "unknown"


def describe(device: str = "cpu") -> dict[str, str]:
    """What decides this machine's capacities: processor, cores, memory, torch, page size mode."""
    import torch

    what = {
        "cpu": cpu_name(),
        "cores": f"{cgroup.cores():g}",
        "memory_gb": f"{cgroup.memory_bytes() / 1e9:.0f}",
        "os": platform.system(),
        "torch": torch.__version__,
        "isa": torch.backends.cpu.get_cpu_capability(),
        "huge_pages": huge_pages(),
    }
    if device != "cpu":
        what["gpu"] = torch.cuda.get_device_name(device)
    return what


def fingerprint(machine: Mapping[str, str]) -> str:
    """A short hash of `describe`'s answer: equal on equal machines, no name or serial in it."""
    return hashlib.sha256(json.dumps(dict(machine), sort_keys=True).encode()).hexdigest()[:12]
