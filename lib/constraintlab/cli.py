"""`constraintlab`: the command line. Each command imports what it needs when it runs."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from constraintlab.bench.cli import app as bench
from constraintlab.cluster_cli import cluster
from constraintlab.room.command import join, leave, room

app = typer.Typer(no_args_is_help=True)
ARCH = typer.Option(
    ["sm_80", "sm_90", "sm_100"], help="Compile for this GPU; may be given more than once."
)
GGUF = typer.Argument(help="A GGUF of a Llama, Qwen2, Qwen3 or Gemma 3.")
OUT = typer.Option(None, "--out", help="Folder to write; the file's name, here, unless given.")
SLOW = typer.Option([], help="Number of a connection that is slow; may be given more than once.")
MODEL = "reasoner, a preset, a checkpoint's folder, an id on the hub, or stub (echoes the prompt)."
SERVER = typer.Argument(help="The server's address, http://127.0.0.1:8000, or its metrics'.")
EVERY = typer.Option(1.0, min=0.05, help="Seconds from one look to the next.")
LEAVE = typer.Option(None, min=0.1, help="Seconds after which it leaves; else at Ctrl-C.")
LOOK = typer.Option(None, min=0.1, help="Seconds that it looks; 15 unless given.")
TIMEOUT = typer.Option(5.0, min=0.1, help="Seconds that the server has to answer.")
KEY = typer.Option(None, help="API key; else OPENAI_API_KEY.")
ASKED = typer.Option(None, help="For the probe: the only model there is, unless given.")
PROBE = typer.Option(True, help="Ask a little, to see what clients see.")
SLOTS = typer.Option(None, help="Requests that run at most: what vLLM calls --max-num-seqs.")
FLOPS = typer.Option(None, help="A GPU's peak FLOP/s: 989e12 for an H100 in bf16.")
BYTES = typer.Option(None, help="A GPU's peak bytes/s: 3.35e12 for an H100.")
SLO = typer.Option("", help="What was promised: ttft=500ms,itl=50ms,e2e=10.")
app.add_typer(bench, name="bench")
for command in (cluster, room, join, leave):
    app.command()(command)


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
def load(
    url: str = typer.Argument(help="The server's address: http://127.0.0.1:8000."),
    profile: str = typer.Option(
        "chat", help="Lengths: chat, code, reasoning, stress, collatz, 512x64 or trace:mooncake."
    ),
    rate: float | None = typer.Option(
        None, help="Requests per second; 1, or a trace's own, unless given."
    ),
    duration: float | None = typer.Option(None, help="Seconds of the schedule; 30 unless given."),
    limit: int | None = typer.Option(None, help="Requests at most."),
    arrivals: str = typer.Option(
        "poisson", help="poisson, gamma:CV, uniform or trace:azure-conv|azure-code|mooncake."
    ),
    slo: str = typer.Option("", help="What goodput asks for: ttft=500ms,tpot=50ms,itl=,e2e=."),
    model: str | None = typer.Option(None, help="The only one served, unless given."),
    chat: bool = typer.Option(False, "--chat", help="Ask /v1/chat/completions."),
    key: str | None = typer.Option(None, help="API key; else OPENAI_API_KEY."),
    scale: float = typer.Option(1.0, help="Divide all lengths by this, for small models."),
    cap: int | None = typer.Option(None, help="Tokens of prompt and answer together."),
    seed: int = typer.Option(0, help="Equal seeds ask the same at the same times."),
    processes: int = typer.Option(1, help="Of the client: one reads about 20,000 events/s."),
    timeout: float = typer.Option(600.0, help="Seconds for one request."),
    cancel_after: int | None = typer.Option(None, help="Hang up after so many tokens."),
    retries: int = typer.Option(0, help="How often a 429 is tried again."),
    slow: int = typer.Option(0, help="So many streams are read slowly."),
    slow_rate: float = typer.Option(0.0, help="Bytes/s of a slow reader; 0 stops it."),
    json: bool = typer.Option(False, "--json", help="Print JSON alone on stdout."),
) -> None:
    """Put an open-loop load on an OpenAI-compatible server, and report what its clients saw."""
    given = {name: value for name, value in locals().items() if name != "json"}
    from constraintlab.load import command

    raise typer.Exit(command.main(command.Options(**given), json))


@app.command()
def link(
    to: str = typer.Argument(help="The server: http://127.0.0.1:8000, host:port or a port."),
    rate: str | None = typer.Option(None, help="Bytes/s to all clients together: 50k, 1.5M."),
    up_rate: str | None = typer.Option(None, help="Bytes/s to the server."),
    each: bool = typer.Option(False, "--each", help="The rates are each connection's own."),
    delay: float = typer.Option(0.0, help="Seconds that bytes fly, each way."),
    jitter: float = typer.Option(0.0, help="Up to so many seconds more; order is kept."),
    slow: list[int] = SLOW,
    slow_rate: float = typer.Option(0.0, help="Bytes/s of a slow connection; 0 stops it."),
    cut: int | None = typer.Option(None, help="Cut each connection after so many bytes."),
    host: str = typer.Option("127.0.0.1", help="Address to listen on."),
    port: int = typer.Option(0, help="Port to listen on; a free one unless given."),
) -> None:
    """Put a slow, far or faulty link between a server and its clients, without root."""
    from constraintlab.serving import link_command

    status = link_command.main(
        to, port, host, rate, up_rate, shared=not each, delay=delay, jitter=jitter,
        slow=tuple(slow), slow_rate=slow_rate, cut=cut,
    )  # fmt: skip
    raise typer.Exit(status)


@app.command()
def serve(
    model: str = typer.Option("reasoner", help=MODEL),
    kv: str = typer.Option("paged", help="paged, contiguous or prefix."),
    policy: str = typer.Option(
        "chunked", help="static, continuous, chunked, classes, mlfq or shortest."
    ),
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
def watch(
    url: str = SERVER,
    seconds: float | None = LEAVE,
    every: float = EVERY,
    window: float = typer.Option(30.0, min=1.0, help="Seconds that the verdict is on."),
    once: bool = typer.Option(False, "--once", help="Look for 5 seconds, print, and leave."),
    record: str | None = typer.Option(None, help="A new file for every look; diagnose reads it."),
    timeout: float = TIMEOUT,
    key: str | None = KEY,
    model: str | None = ASKED,
    probe: bool = PROBE,
    slots: float | None = SLOTS,
    peak_flops: float | None = FLOPS,
    peak_bandwidth: float | None = BYTES,
    slo: str = SLO,
) -> None:
    """Watch a server that runs somewhere, ours, vLLM's or SGLang's, and what limits it.

    Exit status: 0 with a verdict at the end, 3 without enough evidence for one, 2 where there is
    no server or no metrics to look at.
    """
    mine = ("window", "once", "record")
    given = {name: value for name, value in locals().items() if name not in (*mine, "mine")}
    from constraintlab.watch import command, live

    raise typer.Exit(live.watch(command.Options(**given), record, once, window, counted=_counted))


@app.command()
def diagnose(
    url: str = typer.Argument(help="A server's address, or the file of a recording."),
    seconds: float | None = LOOK,
    every: float = EVERY,
    timeout: float = TIMEOUT,
    key: str | None = KEY,
    model: str | None = ASKED,
    probe: bool = PROBE,
    slots: float | None = SLOTS,
    peak_flops: float | None = FLOPS,
    peak_bandwidth: float | None = BYTES,
    slo: str = SLO,
    json: bool = typer.Option(False, "--json", help="Print JSON alone on stdout."),
) -> None:
    """Say once what limits a server, ours, vLLM's or SGLang's, or what limited a recorded one.

    Exit status: 0 with a verdict, 3 for `insufficient evidence`, 2 where there is nothing to see.

    The JSON has: outcome (bound, demand, insufficient evidence); constraint, runner_up (lists of
    kv_capacity, slots, compute, bandwidth, host, network, client, demand); confidence (high,
    medium, low); evidence, try, switch_on, late, notes (lists of sentences); server (constraintlab,
    vllm, sglang); window (seconds, looks, gaps); facts (by name: value, or null, and source);
    engines (gauges by engine, where there are several); verdict (as the labs record theirs).
    """
    given = {name: value for name, value in locals().items() if name != "json"}
    from constraintlab.watch import command

    raise typer.Exit(command.diagnose(command.Options(**given), json, _counted))


def _counted(scrapes):
    """Imports the engine's counters only where a server turns out to be ours."""
    from constraintlab.course.own_server import counted

    return counted(scrapes)


@app.command()
def perturb(
    scenario: int = typer.Argument(0, min=0, help="Number of the scenario."),
    seed: int = typer.Option(0, help="Of the scenarios that are drawn."),
    workloads: int = typer.Option(5, help="Seeded workloads, for the interval: 2 to 6, 8 or 10."),
    json: bool = typer.Option(False, "--json", help="Print JSON alone on stdout."),
) -> None:
    """Cut each capacity of a scenario on the virtual clock: elasticities, beside the predicted."""
    from constraintlab.course import perturbing

    raise typer.Exit(perturbing.main(seed, scenario, workloads, json))


@app.command()
def plan(
    rate: float = typer.Argument(help="Requests a second that come, from independent users."),
    slo: str = typer.Argument(help="What is promised: ttft=500ms, e2e=30s, or both with a comma."),
    profile: str = typer.Option("chat", help="Lengths: chat, code, reasoning or stress."),
    p: float = typer.Option(99.0, "-p", help="The percentile that keeps it: 90 or 99."),
    slots: int = typer.Option(64, min=1, help="Requests that run at a time on a replica."),
    policy: str = typer.Option("chunked", help="The scheduler's: chunked, continuous, mlfq, …"),
    tokens: int = typer.Option(2048, min=1, help="Tokens of a step."),
    json: bool = typer.Option(False, "--json", help="Print JSON alone on stdout."),
) -> None:
    """How many replicas a promise takes, by the mean and by the tail, on the virtual clock.

    A replica is Llama-3.1-8B on an H100 at its published ceilings (modelled).
    """
    from constraintlab.course import plan_command

    raise typer.Exit(plan_command.main(profile, rate, slo, p, slots, policy, tokens, json))


@app.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as of

    typer.echo(of("constraintlab"))
