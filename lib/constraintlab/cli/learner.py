"""What a learner and an instructor ask for: `doctor`, `passport`, `reset`."""

from __future__ import annotations

from pathlib import Path

import typer

HTML = typer.Option(None, "--html", help="Write a page of it to this file.")


def doctor(
    json: bool = typer.Option(False, "--json", help="Print JSON alone on stdout."),
    probe: bool = typer.Option(False, "--probe", help="Measure this machine's ceilings again."),
    code: bool = typer.Option(False, "--code", help="Print a short code of this machine, alone."),
    read: str | None = typer.Option(None, help="Say what somebody's code means."),
) -> None:
    """Check that the labs run here, and say what to do where they don't."""
    from constraintlab.course import doctor as course

    if read is not None or code:
        raise typer.Exit(course.coded(read))
    raise typer.Exit(course.main(as_json=json, measure=probe))


def passport(
    html: Path | None = HTML,
    json: bool = typer.Option(False, "--json", help="Print JSON alone on stdout."),
) -> None:
    """Show what you measured, predicted and solved in the labs, and your scores."""
    from constraintlab.course import passport_command

    raise typer.Exit(passport_command.main(html, json))


def reset(
    lab: str = typer.Argument(help="0 to 8, transfer, or all."),
    yes: bool = typer.Option(False, "--yes", "-y", help="Don't ask."),
) -> None:
    """Forget what is kept of a lab, to do it afresh; a copy is kept beside it."""
    from constraintlab.course import reset as course

    raise typer.Exit(course.main(lab, yes, typer.confirm))
