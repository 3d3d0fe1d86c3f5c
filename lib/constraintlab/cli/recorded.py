"""What was recorded: `recordings`, `replay`."""

from __future__ import annotations

from pathlib import Path

import typer

PNG = typer.Option(None, "--png", help="Draw what bound in each, CPU beside GPU, in this file.")
HTML = typer.Option(None, "--html", help="Write the page to this file, and open no browser.")


def recordings(
    json: bool = typer.Option(False, "--json", help="Print JSON alone on stdout."),
    png: Path | None = PNG,
) -> None:
    """List the recordings of labs that are shipped, and what bound in each: CPU beside GPU."""
    from constraintlab.recordings import command

    raise typer.Exit(command.listed(json, png))


def replay(
    name: str = typer.Argument(help="A name that `recordings` lists, or a .jsonl.gz file."),
    html: Path | None = HTML,
) -> None:
    """Scrub through a recorded lab in a browser, offline."""
    from constraintlab.recordings import command

    raise typer.Exit(command.replayed(name, html))
