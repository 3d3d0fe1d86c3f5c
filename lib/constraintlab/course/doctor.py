"""`constraintlab doctor`: what this machine has, and one line naming the fix for what it lacks."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict

from constraintlab.course.looks import AFRESH, LOOKS, Check
from constraintlab.limits import probe


def looked(what: str, look: Callable[[], Check | Iterable[Check]]) -> list[Check]:
    """What `look` finds; if it raises, that is the finding, and the other checks go on."""
    try:
        found = look()
        return [found] if isinstance(found, Check) else list(found)
    except Exception as error:
        # A file that can't be written is named by its error; a broken package names none.
        at_home = isinstance(error, OSError) and error.filename
        fix = "set CONSTRAINTLAB_HOME to a folder that you can write" if at_home else AFRESH
        return [Check(what, f"{type(error).__name__}: {error}", "problem", fix)]


def probe_again() -> Iterable[Check]:
    """Measure the ceilings anew; the steps go to stderr, so that JSON stays alone on stdout."""
    probe.capacities(again=True, say=lambda step: print(step, file=sys.stderr, flush=True))
    return ()


def main(*, as_json: bool = False, measure: bool = False) -> int:
    """Print the table (or JSON alone); the exit status is 1 only if the labs can't run."""
    looks = ({"probe": probe_again} if measure else {}) | LOOKS
    found = [check for what, look in looks.items() for check in looked(what, look)]
    failed = any(check.state == "problem" for check in found)
    if as_json:
        print(json.dumps({"ok": not failed, "checks": [asdict(c) for c in found]}, indent=1))
    else:
        show(found)
        print("The labs can't run yet." if failed else "Ready: `make lab` opens lab 00.")
    return int(failed)


MARKS = {"ok": ("green", "✓", "+"), "note": ("yellow", "•", "-"), "problem": ("red", "✗", "!")}
"""Colour, sign, and the sign for a terminal or a pipe that can't write the first."""


def show(found: list[Check]) -> None:
    """The table, then one line for each thing to do."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    try:
        "✓✗".encode(console.encoding)
        plain = False
    except (UnicodeEncodeError, LookupError):
        plain = True

    def mark(check: Check) -> Text:
        colour, *signs = MARKS[check.state]
        return Text(signs[plain], style=colour)

    table = Table(box=None, show_header=False, pad_edge=False)
    for check in found:
        table.add_row(mark(check), Text(check.what), Text(check.found))
    console.print(table)
    for check in found:
        if check.fix and check.state != "ok":
            line = Text.assemble(mark(check), f" {check.what}: {check.fix}")
            console.print(line, soft_wrap=True)
