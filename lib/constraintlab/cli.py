"""`constraintlab`: the command line. Each command imports what it needs when it runs."""

from __future__ import annotations

import sys

import typer

from constraintlab.bench.cli import app as bench

app = typer.Typer(no_args_is_help=True)
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
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as of

    typer.echo(of("constraintlab"))
