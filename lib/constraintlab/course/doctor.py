"""`constraintlab doctor`: what this machine has, and one line naming the fix for what it lacks."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict

from constraintlab.course import machine_code
from constraintlab.course.looks import AFRESH, LOOKS, Check
from constraintlab.course.tier import Facts, facts
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


def examined(measure: bool = False) -> tuple[list[Check], Facts]:
    """Every line but the tier's, and what decides the tier."""
    looks = ({"probe": probe_again} if measure else {}) | LOOKS
    return [check for what, look in looks.items() for check in looked(what, look)], facts()


def main(*, as_json: bool = False, measure: bool = False) -> int:
    """Print the table (or JSON alone); the exit status is 1 only if the labs can't run."""
    found, here = examined(measure)
    failed = any(check.state == "problem" for check in found)
    code = machine_code.code(here, found)
    found.append(Check("tier", f"{here.tier}: {here.why}"))
    if as_json:
        checks = [asdict(c) for c in found]
        told = {"ok": not failed, "tier": here.tier, "code": code, "checks": checks}
        print(json.dumps(told, indent=1))
    else:
        show(found)
        print(f"Code of this machine, for an instructor: {code}")
        print("The labs can't run yet." if failed else "Ready: `make lab` opens lab 00.")
    return int(failed)


def coded(text: str | None = None) -> int:
    """Print this machine's code alone, or say what somebody's means: 2 for one that can't be."""
    if text is None:
        found, here = examined()
        print(machine_code.code(here, found))
        return 0
    try:
        there, found = machine_code.read(text)
    except ValueError as error:
        print(f"doctor: {error}", file=sys.stderr)
        return 2
    show([*described(there), *found])
    failed = any(check.state == "problem" for check in found)
    print("The labs can't run there yet." if failed else "The labs run there.")
    return 0


def described(there: Facts) -> list[Check]:
    """A machine by its code, as lines."""
    old = there.python < (3, 11)
    lines = {
        "tier": f"{there.tier}: {there.why}",
        "machine": f"{there.os}, {there.cores:g} cores, {there.isa}, {there.available:g} of "
                   f"{there.memory:g} GiB available",
        "GPU": {"none": "none", "unusable": "there is one, and torch can't use it"}.get(
            there.gpu, f"usable, {there.gpu_memory:g} GiB"),
        "versions": f"Python {'before 3.11' if old else '.'.join(map(str, there.python))}, "
                    f"torch {'.'.join(map(str, there.torch))}, "
                    f"constraintlab {'.'.join(map(str, there.package))}",
    }  # fmt: skip
    return [Check(what, text) for what, text in lines.items()]


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
