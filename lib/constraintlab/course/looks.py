"""What the doctor looks at: each look gives a line, with the fix for what is amiss."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from constraintlab.limits import cgroup, probe
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.home import Home, home

GIB = 1024**3
State = Literal["ok", "note", "problem"]
AFRESH = "make the environment afresh: `make clean lab`"


@dataclass(frozen=True)
class Check:
    """One line: what was looked at, what was found, and the fix when something is amiss.

    `note`: the labs run, differently or more slowly. `problem`: they can't run.
    """

    what: str
    found: str
    state: State = "ok"
    fix: str = ""


def python(now: tuple[int, ...] = tuple(sys.version_info[:3])) -> Check:
    text = ".".join(map(str, now))
    if now >= (3, 11):
        return Check("Python", text)
    return Check("Python", text, "problem", "install Python 3.11 or newer, then `make lab`")


def cores(n: float) -> Check:
    if n >= 2:
        return Check("cores", f"{n:g} that this process may use")
    return Check(
        "cores", f"{n:g}", "note", "the labs run on one core; the panel and the work share it"
    )


SMALL, LEAST = 2 * GIB, GIB // 2
"""Under the first: small sizes. Labs 00 and 01 at those ran in a control group of 1 GB, 0.7 GiB
of it available to the doctor."""


def memory(total: int, available: int) -> Check:
    found = f"{available / GIB:.1f} of {total / GIB:.1f} GiB available"
    if available >= SMALL:
        return Check("memory", found)
    if available >= LEAST:
        return Check(
            "memory", found, "note", "use small sizes: start with CONSTRAINTLAB_PRESET=ci make lab"
        )
    fix = f"close other programs until {LEAST / GIB:g} GiB is available"
    return Check("memory", found, "problem", fix)


def writable_home(kept: Home) -> Check:
    if kept.note:
        return Check("home", "not writable", "note", kept.note)
    path = kept.path
    if path.is_relative_to(Path.home()):
        path = Path("~", path.relative_to(Path.home()))
    return Check("home", f"{path} can be written")


def disk(folder: Path, usage: Callable = shutil.disk_usage) -> Check:
    free = usage(folder).free
    if free >= GIB // 4:
        return Check("disk", f"{free / GIB:.1f} GiB free")
    return Check("disk", f"{free / GIB:.2f} GiB free", "note", "free 0.25 GiB for recordings")


def torch_build() -> Check:
    import torch

    isa, n = torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()
    return Check("torch", f"{torch.__version__}, {n} thread{'s' if n > 1 else ''}, {isa}")


def cuda_build() -> tuple[bool, str | None]:
    """Whether torch can use a GPU now, and the CUDA version that it was built for, if any."""
    import torch

    return torch.cuda.is_available(), torch.version.cuda


def gpu(
    open_nvml: Callable[[], list[str]], cuda: Callable[[], tuple[bool, str | None]] = cuda_build
) -> Check:
    """The NVIDIA GPUs that the driver reports; none is fine."""
    try:
        names = open_nvml()
    except Exception as error:
        return Check(
            "GPU", f"none: {error}", "ok", "everything runs on the CPU; GPU figures come recorded"
        )
    found = ", ".join(names)
    usable, built_for = cuda()
    if usable:
        return Check("GPU", found)
    if built_for is None:
        return Check("GPU", found, "note", "torch is its CPU build, for the CUDA one " + AFRESH)
    return Check(
        "GPU", found, "note", f"torch can't use it: update the driver to one for CUDA {built_for}"
    )


def nvml_names() -> list[str]:
    """Names of the GPUs, from NVML. Raises when there is no driver."""
    import pynvml

    pynvml.nvmlInit()
    try:
        found = [
            pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(i))
            for i in range(pynvml.nvmlDeviceGetCount())
        ]
    finally:
        pynvml.nvmlShutdown()
    if not found:
        raise RuntimeError("the driver reports no GPU")
    return found


def triton(has: Callable[[str], object] = find_spec, system: str = platform.system()) -> Check:
    if has("triton"):
        return Check("Triton", "installed: kernels can be compiled and x-rayed without a GPU")
    name = {"Darwin": "macOS"}.get(system, system)
    why = "not installed" if system == "Linux" else f"there is no Triton for {name}"
    fix = "labs 00 and 01 don't need it; for the x-ray of lab 02 use Linux on x86-64"
    return Check("Triton", why, "note", fix)


def ipykernel(of: Callable[[str], str] = version) -> Check:
    try:
        now = of("ipykernel")
    except PackageNotFoundError:
        return Check("ipykernel", "missing", "problem", AFRESH)
    if now.startswith(("7.0.", "7.1.", "7.2.", "7.3.")):
        return Check(
            "ipykernel", now, "note",
            "before 7.4 a cell can wait for ever: `pip install 'ipykernel>=7.4'`",
        )  # fmt: skip
    return Check("ipykernel", now)


Recall = Callable[[], tuple[Capacities | None, str | None]]


def ceilings(recall: Recall = probe.recall) -> Iterable[Check]:
    """This machine's probed ceilings, and which dtypes it only emulates."""
    from constraintlab.panel.numbers import si

    caps, note = recall()
    if note:
        yield Check("ceilings", note, "note", "lab 00 measures them again, or `doctor --probe`")
    if caps is None:
        if not note:
            yield Check("ceilings", "not probed yet: lab 00 measures them, or `doctor --probe`")
        return
    fp32 = caps.compute["float32"]
    for name, e in caps.rates():
        spread = "" if e.missing else f" (±{e.spread:.0%})"
        found = e.source if e.missing else si(e.value, e.unit) + spread
        emulated = name in ("compute.bfloat16", "compute.float16") and not e.missing
        if emulated and e.value < fp32.value / 10:
            unit = name.split(".")[1]
            yield Check(
                name, found, "note",
                f"this processor emulates {unit}: the labs give it shorter prompts and say so",
            )  # fmt: skip
        else:
            yield Check(name, found)


LOOKS: dict[str, Callable[[], Check | Iterable[Check]]] = {
    "Python": python,
    "torch": torch_build,
    "cores": lambda: cores(cgroup.cores()),
    "memory": lambda: memory(cgroup.memory_bytes(), cgroup.available_bytes()),
    "GPU": lambda: gpu(nvml_names),
    "Triton": triton,
    "ipykernel": ipykernel,
    "home": lambda: writable_home(home()),
    "disk": lambda: disk(home().path),
    "ceilings": ceilings,
}
"""Everything that is looked at, in order."""
