"""The x-ray in a notebook: a kernel's source, its table, rows of any length; or why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from constraintlab.attention.target import Target
from constraintlab.attention.xray import XrayError, sweep, target_of, xrays
from constraintlab.attention.xray.compile import ARCHS
from constraintlab.attention.xray.report import HEADINGS, Xray, remarks, row
from constraintlab.course.show import Table, Text, source
from constraintlab.panel.charts import chip
from constraintlab.panel.picture import Picture


def kernel(rung: str):
    """The source of a rung's Triton kernel, or one line that says why it can't be shown."""
    try:
        return source(target_of(rung).kernel.fn)
    except XrayError as error:
        return Text(f"**n/a**: {error}")


def table(rung: str, archs: Sequence[str] = ARCHS, kernel: object = None, **tile: int):
    """What the compiler makes of a rung for each of `archs`, or for a single one; `tile` as
    `target_of` takes it. kernel: yours instead of the rung's, with the same arguments."""

    def target() -> Target:
        made = target_of(rung, **tile)
        if kernel is None:
            return made
        if not hasattr(kernel, "fn"):
            raise XrayError("kernel: give a function that has @triton.jit above it")
        return replace(made, kernel=kernel)

    return of(target, archs)


def of(target, archs: Sequence[str] = ARCHS):
    """The table of a `Target`, or of a function that makes one: a kernel of your own, say."""
    try:
        made = target() if callable(target) else target
        if not isinstance(made, Target):
            raise XrayError("give a Target, as `Target(my_kernel, signature, constexprs)`")
        archs = [archs] if isinstance(archs, str) else archs
        found = xrays([(made, arch) for arch in archs])
        said = " · ".join(line for x in found for line in remarks(x, lines=1))
        return Table(HEADINGS, [row(x) for x in found], said)
    except XrayError as error:
        return Text(f"**n/a**: {error}")


def run(keys: Sequence[int], archs: Sequence[str] = ARCHS, **tile: int) -> list[tuple[int, Xray]]:
    """The fused kernel x-rayed with rows of each length; empty where there is no Triton."""
    try:
        return sweep(lambda n: target_of("fused", keys=n, **tile), keys, archs)
    except XrayError as error:
        print(f"n/a: {error}")
        return []


def longest(found: Sequence[tuple[int, Xray]], arch: str) -> int | None:
    """The most keys that fit `arch` without spilling; None when nothing was x-rayed."""
    good = [n for n, x in found if x.arch == arch and x.fits and not x.spill_bytes]
    return max(good, default=None)


def chart(found: Sequence[tuple[int, Xray]]) -> Picture | Text:
    """Shared memory and spills over the row's length, with each chip's limit."""
    if not found:
        return Text("**n/a**: nothing was x-rayed")
    rows = [
        {
            "arch": x.arch, "keys": n, "kib": x.shared / 1024, "fits": x.fits,
            "limit_kib": x.shared_limit / 1024, "spilled": x.spill_bytes,
        }
        for n, x in found
    ]  # fmt: skip
    return Picture(lambda theme: chip.spec(rows, theme), chip.text(rows))
