"""`constraintlab`: the command line. Each command imports what it needs when it runs."""

from __future__ import annotations

import sys

import typer

from constraintlab.bench.cli import app as bench
from constraintlab.cli.attached import diagnose, watch
from constraintlab.cli.learner import doctor, passport, reset
from constraintlab.cli.models import convert, xray
from constraintlab.cli.recorded import recordings, replay
from constraintlab.cli.serving import link, load, serve
from constraintlab.cli.virtual import perturb, plan
from constraintlab.cluster_cli import cluster
from constraintlab.room.command import join, leave, room

app = typer.Typer(no_args_is_help=True)
app.add_typer(bench, name="bench")


@app.callback()
def main() -> None:
    """See what limits an LLM serving stack, fix it, and watch the constraint move."""
    # A pipe on Windows or a C locale can't write ± or ×: a ? there is better than an error.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")


def version() -> None:
    """Print the version."""
    from importlib.metadata import version as of

    typer.echo(of("constraintlab"))


COMMANDS = (
    cluster, doctor, passport, reset, xray, convert, load, link, serve, watch, diagnose, perturb,
    plan, recordings, replay, room, join, leave, version,
)  # fmt: skip
for command in COMMANDS:
    app.command()(command)
