"""`constraintlab xray`: one rung's kernel as a table or JSON, its machine code in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from constraintlab.attention.xray.report import HEADINGS, Xray, remarks, row, xrays
from constraintlab.attention.xray.rungs import target_of
from constraintlab.limits.home import home


def main(
    rung: str, archs: Sequence[str], dtype: str, dim: int, tile: Mapping[str, int | None],
    as_json: bool,
) -> None:  # fmt: skip
    """Print what the compiler made of `rung`'s kernel for each of `archs`.

    Raises XrayError for whatever can't be compiled or read.
    """
    target = target_of(rung, dtype, dim, **tile)
    found = xrays([(target, arch) for arch in archs])
    files = [written(rung, dtype, dim, x) for x in found]
    if as_json:
        reports = [x.as_dict() | {"where": str(f)} for x, f in zip(found, files, strict=True)]
        about = {
            "rung": rung, "dtype": dtype, "dim": dim, "kernel": target.kernel.__name__,
            "warps": target.warps, "stages": target.stages, "constexprs": target.constexprs,
        }  # fmt: skip
        print(json.dumps(about | {"archs": reports}, indent=1))
        return
    shown(rung, dtype, dim, target, found, files)


def written(rung: str, dtype: str, dim: int, x: Xray) -> Path:
    """The machine code in a file of the learner's home, and where it is."""
    folder = home().path / "xray"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{rung}-{dtype}-d{dim}-{x.arch}.sass"
    path.write_text(x.sass + "\n")
    return path


def shown(rung, dtype, dim, target, found: Sequence[Xray], files: Sequence[Path]) -> None:
    """One column an arch; what does not fit, and where the code is, below."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    tile = ", ".join(f"{k} {v}" for k, v in target.constexprs.items() if k.startswith("BLOCK"))
    what = f"{target.kernel.__name__} · {rung}, {dtype}, D {dim} · {tile}, {target.warps} warps"
    console.print(Text(what, style="bold"), soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for x in found:
        table.add_column(x.arch, justify="right")
    for heading, *cells in zip(HEADINGS[1:], *(row(x)[1:] for x in found), strict=True):
        table.add_row(heading, *cells)
    if any(x.columns_limit for x in found):
        table.add_row("tensor memory", *(columns(x) for x in found))
    table.add_row("instructions in all", *(str(x.total) for x in found))
    console.print(table)
    for x, path in zip(found, files, strict=True):
        for remark in remarks(x):
            console.print(Text(remark), soft_wrap=True)
        console.print(Text(f"{x.arch}: machine code in {path}", style="dim"), soft_wrap=True)


def columns(x: Xray) -> str:
    """Tensor memory of a program, in columns of 128 lanes of 4 bytes; none before Blackwell."""
    return f"{x.columns} of {x.columns_limit} columns" if x.columns_limit else "n/a"
