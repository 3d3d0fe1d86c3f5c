"""`constraintlab doctor`: what this machine has, and one line naming the fix for what it lacks."""

from __future__ import annotations

import json
import platform
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from constraintlab.limits import cgroup
from constraintlab.limits.home import Home, home

GIB = 1024**3
State = Literal["ok", "note", "problem"]


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


def memory(total: int, available: int) -> Check:
    found = f"{available / GIB:.1f} of {total / GIB:.1f} GiB available"
    if available >= 2 * GIB:
        return Check("memory", found)
    if available >= 0.75 * GIB:
        return Check(
            "memory", found, "note", "use small sizes: start with CONSTRAINTLAB_PRESET=ci make lab"
        )
    return Check("memory", found, "problem", "close other programs: the labs need about 0.75 GiB")


def writable_home(kept: Home) -> Check:
    if kept.note is None:
        return Check("home", f"{kept.path.name}/ in your cache folder can be written")
    return Check("home", "not writable", "note", kept.note)


def disk(folder: Path, usage: Callable = shutil.disk_usage) -> Check:
    free = usage(folder).free
    if free >= GIB // 4:
        return Check("disk", f"{free / GIB:.1f} GiB free")
    return Check("disk", f"{free / GIB:.2f} GiB free", "note", "free 0.25 GiB for recordings")


def torch_build() -> Check:
    try:
        import torch
    except ImportError as error:
        return Check("torch", f"can't be imported: {error}", "problem", "run `make lab` again")
    isa = torch.backends.cpu.get_cpu_capability()
    return Check("torch", f"{torch.__version__}, {torch.get_num_threads()} threads, {isa}")


def gpu(open_nvml: Callable[[], list[str]]) -> Check:
    """The NVIDIA GPUs that the driver reports; none is fine."""
    try:
        names = open_nvml()
    except Exception as error:
        return Check(
            "GPU", f"none: {error}", "ok", "everything runs on the CPU; GPU figures come recorded"
        )
    import torch

    if not torch.cuda.is_available():
        return Check(
            "GPU", ", ".join(names), "note",
            "torch has no CUDA here: remove .venv and run `make lab` to get the CUDA build",
        )  # fmt: skip
    return Check("GPU", ", ".join(names))


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
    why = "there is no Triton for " + ("macOS" if system == "Darwin" else system)
    fix = "labs 00 and 01 don't need it; for the x-ray of lab 02 use Linux on x86-64"
    return Check("Triton", why, "note", fix)


def ipykernel(of: Callable[[str], str] = version) -> Check:
    try:
        now = of("ipykernel")
    except PackageNotFoundError:
        return Check("ipykernel", "missing", "problem", "run `make lab` again")
    if now.startswith("7.4."):
        return Check(
            "ipykernel", now, "note",
            "buttons don't reach a busy cell on 7.4: `pip install ipykernel==7.3.0`",
        )  # fmt: skip
    return Check("ipykernel", now)


def ceilings(load: Callable[[], object] | None = None) -> Iterable[Check]:
    """This machine's probed ceilings, and which dtypes it only emulates."""
    from constraintlab.panel.numbers import si

    if load is None:
        from constraintlab.limits.probe import load
    caps = load()
    if caps is None:
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


def checks() -> list[Check]:
    """Everything that is looked at, in order."""
    kept = home()
    return [
        python(),
        torch_build(),
        cores(cgroup.cores()),
        memory(cgroup.memory_bytes(), cgroup.available_bytes()),
        gpu(nvml_names),
        triton(),
        ipykernel(),
        writable_home(kept),
        disk(kept.path),
        *ceilings(),
    ]


def main(*, as_json: bool = False, probe: bool = False) -> int:
    """Print the table (or JSON); the exit status is 1 only if the labs can't run."""
    if probe:
        from constraintlab.limits import probe as probing

        probing.capacities(again=True)
    found = checks()
    failed = any(c.state == "problem" for c in found)
    if as_json:
        print(json.dumps({"ok": not failed, "checks": [asdict(c) for c in found]}, indent=1))
        return int(failed)
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    marks = {"ok": "[green]✓[/]", "note": "[yellow]•[/]", "problem": "[red]✗[/]"}
    for c in found:
        table.add_row(marks[c.state], c.what, c.found)
    console = Console()
    console.print(table)
    for c in found:
        if c.fix and c.state != "ok":
            console.print(f"{marks[c.state]} {c.what}: {c.fix}")
    console.print("The labs can't run yet." if failed else "Ready: `make lab` opens lab 00.")
    return int(failed)
