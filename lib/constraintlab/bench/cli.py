"""`constraintlab bench …`: speeds as ratios in one run, with their spread."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, help="Measure this machine's ratios, with their spread.")


@app.command()
def panel(
    json: bool = typer.Option(False, "--json", help="Print JSON alone on stdout."),
    full: bool = typer.Option(False, "--full", help="More pairs, for a narrower interval."),
) -> None:
    """What the live panel costs a busy attention loop, and how many frames it draws."""
    from constraintlab.bench import panel as bench

    pairs = tuple(3 * n for n in bench.PAIRS) if full else bench.PAIRS
    report = bench.run(pairs, say=lambda line: typer.echo(line, err=True))
    print(report.json()) if json else report.print()


@app.command()
def attention(
    json: bool = typer.Option(False, "--json", help="Print JSON alone on stdout."),
    full: bool = typer.Option(False, "--full", help="More rounds, for a narrower interval."),
) -> None:
    """The rungs of the attention ladder against each other and against torch's flash kernel."""
    from constraintlab.bench import attention as bench
    from constraintlab.bench.device_clock import here

    rounds, say = 31 if full else 9, lambda line: typer.echo(line, err=True)
    report = bench.run(rounds, say, here())
    print(report.json()) if json else report.print()


@app.command()
def paged(
    json: bool = typer.Option(False, "--json", help="Print JSON alone on stdout."),
    full: bool = typer.Option(False, "--full", help="More rounds, for a narrower interval."),
) -> None:
    """A decode step through block tables against gathered and contiguous keys and values."""
    from constraintlab.bench import paged as bench
    from constraintlab.bench.device_clock import here

    rounds, say = 51 if full else 15, lambda line: typer.echo(line, err=True)
    report = bench.run(rounds, say, here())
    print(report.json()) if json else report.print()


@app.command()
def kv(
    json: bool = typer.Option(False, "--json", help="Print JSON alone on stdout."),
    full: bool = typer.Option(False, "--full", help="More rounds, for a narrower interval."),
) -> None:
    """One engine over paged and over contiguous KV: throughput and waste at equal bytes."""
    from constraintlab.bench import kv as bench

    report = bench.run(rounds=21 if full else 9, say=lambda line: typer.echo(line, err=True))
    print(report.json()) if json else report.print()


@app.command()
def engine(
    json: bool = typer.Option(False, "--json", help="Print JSON alone on stdout."),
    full: bool = typer.Option(False, "--full", help="More rounds, for a narrower interval."),
) -> None:
    """Our engine against transformers on a real 270 M model, and against the bandwidth limit."""
    from constraintlab.bench import engine as bench

    report = bench.run(rounds=11 if full else 5, say=lambda line: typer.echo(line, err=True))
    print(report.json()) if json else report.print()


@app.command()
def stream(
    json: bool = typer.Option(False, "--json", help="Print JSON alone on stdout."),
    full: bool = typer.Option(False, "--full", help="More rounds, for a narrower interval."),
) -> None:
    """What a token costs on its way to the socket, and whom slow and bad clients hurt."""
    from constraintlab.bench import stream as bench

    report = bench.run(rounds=25 if full else 9, say=lambda line: typer.echo(line, err=True))
    print(report.json()) if json else report.print()


@app.command()
def migration(
    json: bool = typer.Option(False, "--json", help="Print JSON alone on stdout."),
    full: bool = typer.Option(False, "--full", help="More rounds, for a narrower interval."),
) -> None:
    """One served workload, every fix switched on in turn: tokens/s, and what bound, after each."""
    from constraintlab.bench import migration as bench

    rounds = 7 if full else 3
    report = bench.run(rounds, rounds - 1, say=lambda line: typer.echo(line, err=True))
    print(report.json()) if json else report.print()


@app.command()
def virtual(
    json: bool = typer.Option(False, "--json", help="Print JSON alone on stdout."),
    full: bool = typer.Option(False, "--full", help="Three million requests."),
) -> None:
    """The virtual clock: how many requests a second, in how much memory, and whether it scales."""
    from constraintlab.bench import virtual as bench

    requests = 3_000_000 if full else 1_000_000
    report = bench.run(requests, say=lambda line: typer.echo(line, err=True))
    print(report.json()) if json else report.print()


@app.command()
def tail(
    json: bool = typer.Option(False, "--json", help="Print JSON alone on stdout."),
    full: bool = typer.Option(False, "--full", help="Five rounds of 1,000 requests."),
) -> None:
    """The tail: the virtual clock beside the real engine, FCFS beside MLFQ, chunked prefill."""
    from constraintlab.bench import tail as bench

    requests, rounds = (1000, 5) if full else (None, 3)
    report = bench.run(requests, rounds, say=lambda line: typer.echo(line, err=True))
    print(report.json()) if json else report.print()


@app.command()
def diagnose(
    json: bool = typer.Option(False, "--json", help="Print JSON alone on stdout."),
    full: bool = typer.Option(False, "--full", help="500 virtual scenarios and 24 real ones."),
    seed: int = typer.Option(0, help="Of the scenarios that are drawn."),
    scenarios: int | None = typer.Option(None, min=1, help="On the virtual clock, if not 200."),
    real: int | None = typer.Option(None, min=0, help="On the real stack, if not 10."),
) -> None:
    """Is the verdict right? Against what cutting each capacity of many scenarios shows."""
    from constraintlab.bench import diagnose as bench

    n = scenarios or (500 if full else 200)
    stacks = real if real is not None else 24 if full else 10
    report = bench.run(seed, n, stacks, full, say=lambda line: typer.echo(line, err=True))
    print(report.json()) if json else report.print()


@app.command()
def ablation(
    json: bool = typer.Option(False, "--json", help="Print JSON alone on stdout."),
    full: bool = typer.Option(False, "--full", help="More rounds, for a narrower interval."),
    device: str = typer.Option("auto", help="auto (a GPU if torch can use one), cpu or cuda."),
) -> None:
    """The engine's rungs, each switched on in turn: its worth, and what binds then."""
    from constraintlab.bench import ablation as bench

    say = lambda line: typer.echo(line, err=True)  # noqa: E731
    report = bench.run(rounds=9 if full else 3, device=device, say=say)
    print(report.json()) if json else report.print()


@app.command()
def cluster(
    json: bool = typer.Option(False, "--json", help="Print JSON alone on stdout."),
    full: bool = typer.Option(False, "--full", help="More pairs, for a narrower interval."),
) -> None:
    """A second decode replica on Ray Serve: its worth on a simulated device, and without one."""
    from constraintlab.bench import cluster as bench

    report = bench.run(rounds=15 if full else 5, say=lambda line: typer.echo(line, err=True))
    print(report.json()) if json else report.print()


@app.callback()
def main() -> None:
    """Each bench ends within 8 minutes unless --full says otherwise."""
