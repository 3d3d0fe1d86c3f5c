"""`constraintlab`: the command line. Each command imports what it needs when it runs."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from constraintlab.bench.cli import app as bench

app = typer.Typer(no_args_is_help=True)
ARCH = typer.Option(
    ["sm_80", "sm_90", "sm_100"], help="Compile for this GPU; may be given more than once."
)
GGUF = typer.Argument(help="A GGUF of a Llama, Qwen2, Qwen3 or Gemma 3.")
OUT = typer.Option(None, "--out", help="Folder to write; the file's name, here, unless given.")
MODEL = "reasoner, a preset, a checkpoint's folder, an id on the hub, or stub (echoes the prompt)."
app.add_typer(bench, name="bench")


@app.callback()
def main() -> None:
    """See what limits an LLM serving stack, fix it, and watch the constraint move."""
    # A pipe on Windows or a C locale can't write ± or ×: a ? there is better than an error.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")


@app.command()
def doctor(
    json: bool = typer.Option(False, "--json", help="Print JSON alone on stdout."),
    probe: bool = typer.Option(False, "--probe", help="Measure this machine's ceilings again."),
) -> None:
    """Check that the labs run here, and say what to do where they don't."""
    from constraintlab.course import doctor as course

    raise typer.Exit(course.main(as_json=json, measure=probe))


@app.command()
def xray(
    rung: str = typer.Argument(help="fused, flash, paged-decode or paged-prefill."),
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
    from constraintlab.attention.xray import XrayError, command

    tile = {"queries": queries, "keys": keys, "warps": warps, "stages": stages}
    try:
        command.main(rung, arch, dtype, dim, tile, json)
    except XrayError as error:
        typer.echo(f"xray: {error}", err=True)
        raise typer.Exit(2) from None


@app.command()
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


@app.command()
def serve(
    model: str = typer.Option("reasoner", help=MODEL),
    kv: str = typer.Option("paged", help="paged, contiguous or prefix."),
    policy: str = typer.Option("chunked", help="static, continuous or chunked."),
    kv_blocks: int = typer.Option(1024, help="Blocks in the KV pool."),
    block_size: int = typer.Option(16, help="Tokens in a block."),
    slots: int = typer.Option(32, help="Requests that run at a time."),
    step_tokens: int = typer.Option(512, help="Tokens that a step computes at most."),
    max_length: int | None = typer.Option(None, help="Tokens of a request at most."),
    dtype: str | None = typer.Option(None, help="bfloat16 or float32; the model's own if absent."),
    threads: int | None = typer.Option(None, help="Of the engine; all cores if absent."),
    stream_interval: int = typer.Option(1, help="Tokens to an event."),
    queue: int = typer.Option(256, help="Requests that may be open beyond the slots."),
    host: str = typer.Option("127.0.0.1", help="Address to listen on."),
    port: int = typer.Option(8000, help="Port; 0 takes a free one."),
    name: str = typer.Option("", help="The model's name to clients."),
    api_key: str = typer.Option("", envvar="CONSTRAINTLAB_API_KEY", help="Asked of clients."),
    grace: float = typer.Option(20.0, help="Seconds that streams have to end after SIGTERM."),
) -> None:
    """Serve a model over HTTP, as OpenAI's API does."""
    from constraintlab.serving import command

    setup = {
        "model": model, "kv": kv, "policy": policy, "blocks": kv_blocks, "block_size": block_size,
        "slots": slots, "tokens": max(step_tokens, slots), "max_length": max_length,
        "dtype": dtype, "threads": threads, "words": True,
    }  # fmt: skip
    options = {
        "host": host, "port": port, "name": name, "key": api_key, "queue": queue, "grace": grace,
        "stream_interval": stream_interval,
    }  # fmt: skip
    raise typer.Exit(command.main(setup, options))


@app.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as of

    typer.echo(of("constraintlab"))
