"""`bench attention`: the ladder's rungs against each other and against torch's own flash kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial

from constraintlab.bench.interval import median_of
from constraintlab.bench.report import Report
from constraintlab.course.measure import Rounds, interleave

Say = Callable[[str], object]

HUGE = {"THP_MEM_ALLOC_ENABLE": "1"}
"""torch then asks for huge pages for its large blocks (c10/core/impl/alloc_cpu.cpp)."""
SMALL_BLOCKS = {"MALLOC_MMAP_THRESHOLD_": "65536"}
"""glibc then returns every block of 64 KiB or more at once, so that resident memory tells."""


def rungs(tokens: int, dtype: str, causal: bool = True) -> dict[str, Callable[[], object]]:
    """Name → a call of each rung on the same inputs, H = 8, D = 64."""
    import torch

    from constraintlab.attention import flash, fused, naive, workspace
    from constraintlab.attention.rung import Shape

    q, k, v = Shape.square(tokens, dtype=getattr(torch, dtype)).inputs()
    kept = workspace.Workspace()
    calls = {
        "naive": naive.attend,
        "workspace": partial(workspace.attend, workspace=kept),
        "fused": fused.attend,
        "own": partial(flash.attend, backend="own"),
        "flash": flash.attend,
    }
    return {name: partial(call, q, k, v, causal=causal) for name, call in calls.items()}


def race(tokens: int, dtype: str, rounds: int, only: tuple[str, ...] = (), **options) -> Rounds:
    """Interleaved rounds of the rungs, or of those named, in turn."""
    calls = rungs(tokens, dtype, **options)
    return interleave({n: c for n, c in calls.items() if not only or n in only}, rounds=rounds)


def run(rounds: int = 9, say: Say = lambda _: None, device: str = "cpu") -> Report:
    """Every metric of the attention ladder on this device, in about a minute."""
    if device == "cuda":
        from constraintlab.bench import attention_gpu

        return attention_gpu.run(rounds, say)
    import torch

    from constraintlab.attention.cpu_blocks import products_in
    from constraintlab.limits.machine import describe

    report = Report("attention", describe())

    def add(metric: str, found: Rounds, name: str, over: str, context: str) -> None:
        seconds = f"{1e3 * found.median(name):.1f} ms against {1e3 * found.median(over):.1f} ms"
        report.add(metric, median_of(found.ratios(name, over), "×"), f"{context}; {seconds}")

    for causal in (True, False):
        suffix, what = ("", "causal") if causal else ("_full", "non-causal")
        what = f"S=4096, H=8, D=64, float32, {what}"
        say(f"{what} …")
        seen = race(4096, "float32", rounds, causal=causal)
        add(f"naive_over_flash_s4096{suffix}", seen, "flash", "naive", f"textbook; {what}")
        add(f"naive_workspace_over_flash_s4096{suffix}", seen, "flash", "workspace", what)
        add(f"naive_over_fused_s4096{suffix}", seen, "fused", "naive", f"textbook; {what}")
        add(f"own_flash_over_sdpa_fp32{suffix}", seen, "own", "flash", what)
    for tokens in (1024, 2048):
        say(f"S={tokens} …")
        seen = race(tokens, "float32", 3 * rounds, ("naive", "fused"))
        add(f"naive_over_fused_s{tokens}", seen, "fused", "naive", f"textbook; S={tokens}, float32")
    what = "S=4096, H=8, D=64, bfloat16, causal"
    if products_in(torch.bfloat16) == torch.bfloat16:
        say(f"{what} …")
        seen = race(4096, "bfloat16", rounds)
        add("naive_over_flash_s4096_bf16", seen, "flash", "naive", f"textbook; {what}")
    else:
        say(f"{what}, which this CPU emulates …")
        what = f"{what}; this CPU has no bf16 products: ours multiplies in fp32"
        seen = race(4096, "bfloat16", rounds, ("own", "flash"))
    add("own_flash_over_sdpa_bf16", seen, "own", "flash", what)
    say("huge pages, memory …")
    _huge_pages(report, rounds)
    _memory(report)
    return report


def _huge_pages(report: Report, rounds: int) -> None:
    """The textbook rung again with huge pages: what is left is the algorithm, not page faults."""
    metric = "naive_over_flash_s4096_huge_pages"
    code = (
        "import json; from constraintlab.bench.attention import race\n"
        f"seen = race(4096, 'float32', {rounds}, ('naive', 'flash'))\n"
        "print(json.dumps(seen.ratios('flash', 'naive')))"
    )
    try:
        ratios = _child(code, HUGE)
    except RuntimeError as error:
        report.skip(metric, str(error))
        return
    report.add(metric, median_of(ratios, "×"), "textbook; S=4096, float32; torch asks for them")


def _memory(report: Report) -> None:
    """Most memory beyond inputs and output, as the system saw it: fused ÷ textbook."""
    metric, tokens = "fused_extra_memory_share", 1024
    code = (
        "import json; from constraintlab.bench.attention import rungs\n"
        "from constraintlab.course.memory import peak\n"
        f"calls = rungs({tokens}, 'float32')\n"
        "def seen(name):\n"
        "    calls[name](); out = calls[name]().nbytes\n"
        "    return sorted(peak(calls[name]) - out for _ in range(5))\n"
        "print(json.dumps([seen('fused'), seen('naive')]))"
    )
    if not sys.platform.startswith("linux"):
        report.skip(metric, "only Linux keeps a peak of resident memory that can be reset")
        return
    try:
        fused, naive = _child(code, SMALL_BLOCKS)
    except RuntimeError as error:
        report.skip(metric, str(error))
        return
    shares = [a / b for a, b in zip(fused, naive, strict=True)]
    mega = f"{fused[2] / 1e6:.1f} MB against {naive[2] / 1e6:.1f} MB"
    report.add(metric, median_of(shares, "×"), f"S={tokens}, float32, beyond the output; {mega}")


def _child(code: str, environment: dict[str, str]):
    """What `code` prints as JSON, in a Python of its own; RuntimeError with its last words."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment}, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"the trial process failed: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout.splitlines()[-1])
