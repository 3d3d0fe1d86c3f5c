"""What a learner and an instructor ask for: `doctor`."""

from __future__ import annotations

import typer


def doctor(
    json: bool = typer.Option(False, "--json", help="Print JSON alone on stdout."),
    probe: bool = typer.Option(False, "--probe", help="Measure this machine's ceilings again."),
) -> None:
    """Check that the labs run here, and say what to do where they don't."""
    from constraintlab.course import doctor as course

    raise typer.Exit(course.main(as_json=json, measure=probe))
