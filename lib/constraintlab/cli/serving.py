"""A server, a link and a load: `load`, `link`, `serve`."""

from __future__ import annotations

import typer

SLOW = typer.Option([], help="Number of a connection that is slow; may be given more than once.")
MODEL = "reasoner, a preset, a checkpoint's folder, an id on the hub, or stub (echoes the prompt)."


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
    device: str = typer.Option("auto", help="auto (a GPU if torch can use one), cpu or cuda."),
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
        "dtype": dtype, "threads": threads, "words": True, "device": device,
    }  # fmt: skip
    options = {
        "host": host, "port": port, "name": name, "key": api_key, "queue": queue, "grace": grace,
        "stream_interval": stream_interval,
    }  # fmt: skip
    raise typer.Exit(command.main(setup, options))
