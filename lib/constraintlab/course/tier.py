"""Which of the course's three ways fits a machine (GPU, CPU, small), and why."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from constraintlab.course.looks import GIB, SMALL, cuda_build, nvml_names
from constraintlab.limits import cgroup

Tier = Literal["GPU", "CPU", "small"]
TIERS: tuple[Tier, ...] = ("GPU", "CPU", "small")

GPUS = ("none", "unusable", "usable")
"""What torch can do with an NVIDIA GPU here."""


@dataclass(frozen=True)
class Facts:
    """What decides the tier, and what an instructor wants to know besides. memory, available,
    gpu_memory: GiB. gpu: one of GPUS. isa, os: as torch and Python call them. torch, package:
    (major, minor)."""

    cores: float
    memory: float
    available: float
    isa: str = "DEFAULT"
    gpu: str = "none"
    gpu_memory: float = 0.0
    os: str = "Linux"
    python: tuple[int, int] = (3, 11)
    torch: tuple[int, int] = (0, 0)
    package: tuple[int, int] = (0, 0)

    @property
    def tier(self) -> Tier:
        """GPU where torch can use one; small sizes for little memory or a single core."""
        if self.gpu == "usable":
            return "GPU"
        return "small" if self._short else "CPU"

    @property
    def _short(self) -> str:
        if self.available < SMALL / GIB:
            return (
                f"{self.available:.1f} GiB of memory available, and {SMALL / GIB:g} are asked for"
            )
        return f"{self.cores:g} core, and 2 are asked for" if self.cores < 2 else ""

    @property
    def why(self) -> str:
        """The reason, and what to do about it if there is something."""
        if self.tier == "GPU":
            return f"torch can use a GPU of {self.gpu_memory:.0f} GiB"
        if self.tier == "small":
            return f"{self._short}: start with CONSTRAINTLAB_PRESET=ci make lab"
        gpu = "torch can't use its GPU" if self.gpu == "unusable" else "no NVIDIA GPU"
        enough = f"{self.cores:g} cores and {self.available:.0f} GiB are enough for full sizes"
        return f"{gpu}; {enough}"


def facts() -> Facts:
    """Of this machine. What can't be found out, as with a broken torch, counts as absent."""
    gpu, gpu_memory = _gpu()
    return Facts(
        cgroup.cores(), cgroup.memory_bytes() / GIB, cgroup.available_bytes() / GIB, _isa(),
        gpu, gpu_memory, platform.system(), sys.version_info[:2], installed("torch"),
        installed("constraintlab"),
    )  # fmt: skip


def _isa() -> str:
    with suppress(Exception):
        import torch

        return torch.backends.cpu.get_cpu_capability()
    return "unknown"


def _gpu(names: Callable = nvml_names, cuda: Callable = cuda_build) -> tuple[str, float]:
    try:
        names()
    except Exception:
        return "none", 0.0
    with suppress(Exception):
        if cuda()[0]:
            import torch

            return "usable", torch.cuda.get_device_properties(0).total_memory / GIB
    return "unusable", 0.0


def installed(package: str) -> tuple[int, int]:
    """(major, minor); (0, 0) where it is missing or says something else."""
    try:
        major, minor, *_ = version(package).split(".")
        return int(major), int(minor)
    except (PackageNotFoundError, ValueError):
        return 0, 0
