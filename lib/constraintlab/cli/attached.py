"""A server that runs somewhere: `watch`, `diagnose`."""

from __future__ import annotations

import typer

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
