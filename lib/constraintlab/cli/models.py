"""What a kernel becomes, and what a model comes from: `xray`, `convert`."""

from __future__ import annotations

from pathlib import Path

import typer

ARCH = typer.Option(
    ["sm_80", "sm_90", "sm_100"], help="Compile for this GPU; may be given more than once."
)
GGUF = typer.Argument(help="A GGUF of a Llama, Qwen2, Qwen3 or Gemma 3.")
OUT = typer.Option(None, "--out", help="Folder to write; the file's name, here, unless given.")


def xray(
    rung: str = typer.Argument("", help="fused, flash, paged-decode or paged-prefill."),
    arch: list[str] = ARCH,
    dtype: str = typer.Option("float16", help="float16, bfloat16 or float32."),
    dim: int = typer.Option(64, min=1, help="Values of one head."),
    queries: int | None = typer.Option(None, help="Queries of a tile."),
    keys: int | None = typer.Option(None, help="Keys of a tile; of the prompt for fused."),
    warps: int | None = typer.Option(None, help="Warps of a program."),
    stages: int | None = typer.Option(None, help="Stages of the loop's pipeline."),
    json: bool = typer.Option(False, "--json", help="Print JSON alone on stdout."),
) -> None:
    """What a compiler makes of a rung's Triton kernel, on a machine without a GPU."""
    from constraintlab.attention.xray import RUNGS, XrayError, command

    if not rung:
        typer.echo(
            f"xray: name a rung, one of {', '.join(RUNGS)}: `constraintlab xray flash`", err=True
        )
        raise typer.Exit(2)
    tile = {"queries": queries, "keys": keys, "warps": warps, "stages": stages}
    try:
        command.main(rung, arch, dtype, dim, tile, json)
    except XrayError as error:
        typer.echo(f"xray: {error}", err=True)
        raise typer.Exit(2) from None


def convert(
    file: Path = GGUF,
    out: Path | None = OUT,
    dtype: str = typer.Option("bfloat16", help="bfloat16 or float32."),
) -> None:
    """Make a GGUF file a folder with safetensors, configuration and tokenizer."""
    from constraintlab.engine.model import gguf

    def say(line: str) -> None:
        typer.echo(f"convert: {line}", err=True)

    try:
        made = gguf.convert(file, out or Path(file.stem), dtype=dtype, report=say)
    except (ValueError, OSError) as error:
        say(str(error))
        raise typer.Exit(2) from None
    typer.echo(made)
