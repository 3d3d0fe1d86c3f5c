"""`constraintlab cluster`: from options on the command line to tiers that serve. It stands beside
the package that it starts, which can't be imported without Ray."""

from __future__ import annotations

import signal
import sys
import threading

import typer

MODEL = typer.Option("reasoner", help="reasoner, a preset, a checkpoint's folder, or a hub id.")
SIMULATED = typer.Option(
    0.0, min=0.0, help="A step takes so many milliseconds, as on a device; answers say `simulated`."
)
ADDRESS = typer.Option(None, help="Of a Ray cluster, or auto; Ray is started here unless given.")


def cluster(
    model: str = MODEL,
    gateway: int = typer.Option(1, min=1, help="Replicas of the gateway tier: HTTP, text."),
    prefill: int = typer.Option(1, min=1, help="Replicas of the prefill tier: prompts."),
    decode: int = typer.Option(1, min=1, help="Replicas of the decode tier: answers."),
    kv_blocks: int = typer.Option(1024, help="Blocks of 16 tokens in each replica's KV pool."),
    slots: int = typer.Option(32, help="Requests that run at a time in a replica."),
    threads: int = typer.Option(1, min=1, help="Of each replica's engine."),
    cpus: float = typer.Option(0.1, min=0.0, help="What Ray reserves for a replica."),
    simulated_device_ms: float = SIMULATED,
    address: str | None = ADDRESS,
    host: str = typer.Option("127.0.0.1", help="Address to listen on."),
    port: int = typer.Option(8000, help="Port; 0 takes a free one."),
) -> None:
    """Serve a model in tiers on Ray Serve: gateway, prefill and decode, each with its replicas."""
    try:
        from constraintlab.cluster.layout import Layout
        from constraintlab.cluster.local import Cluster
    except ImportError as error:
        raise _stop(error) from None
    from constraintlab.engine.setup import Setup
    from constraintlab.serving.options import Options

    try:
        setup = Setup(
            model=model, blocks=kv_blocks, slots=slots, tokens=max(512, slots), threads=threads,
            words=True,
        )  # fmt: skip
        layout = Layout(
            gateway, prefill, decode, setup, Options(host=host, port=port), cpus,
            simulated_device_ms,
        )  # fmt: skip
        ended = threading.Event()
        _say("starting Ray and the replicas: half a minute on two quiet cores")
        with Cluster(layout, address) as running:
            # Not before: Ray has put a handler of its own there, which prints a stack.
            signal.signal(signal.SIGTERM, lambda *_: ended.set())
            typer.echo(f"serving {layout.name} at {running.url}: {gateway} gateway, {prefill} "
                       f"prefill, {decode} decode{_clock(layout.simulated_ms)}")  # fmt: skip
            ended.wait()
    except (ValueError, OSError, RuntimeError) as error:
        raise _stop(error) from None
    except KeyboardInterrupt:
        pass


def _clock(ms: float) -> str:
    return f"; simulated: a step takes {ms:g} ms of a device's time" if ms else ""


def _say(line: str) -> None:
    print(f"cluster: {line}", file=sys.stderr, flush=True)


def _stop(error: Exception) -> typer.Exit:
    _say(str(error))
    return typer.Exit(2)
