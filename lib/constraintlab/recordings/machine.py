"""What a recording's header says of the machine, the software and the run."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version

from constraintlab.limits.machine import describe
from constraintlab.recordings.tape import Head

COMMAND = "CONSTRAINTLAB_COMMAND"
"""What made the recording, in words that another can type."""

PACKAGES = ("constraintlab", "torch", "triton", "numba")


def head(lab: str, device: str, preset: str, started: datetime) -> Head:
    """Of a lab that begins now on this machine. device: `cpu` or `cuda`."""
    machine = {k: v for k, v in describe(device).items() if k != "torch"}
    if device != "cpu":
        machine["driver"] = driver()
    command = os.environ.get(COMMAND) or f"lab {lab} with CONSTRAINTLAB_RECORD set"
    kind = "cpu" if device == "cpu" else "gpu"
    when = started.isoformat(timespec="seconds")
    return Head(lab, kind, when, machine, versions(), preset, command)


def versions() -> dict[str, str]:
    """Python's and those of PACKAGES that are installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):  # triton is for Linux
            found[name] = version(name)
    return found


def driver() -> str:
    """The NVIDIA driver's version, or that it could not be asked."""
    import pynvml

    try:
        pynvml.nvmlInit()
        try:
            said = pynvml.nvmlSystemGetDriverVersion()
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError as error:
        return f"unknown ({error})"
    return said.decode() if isinstance(said, bytes) else said
