"""`constraintlab reset`: forget what is kept of a lab, of all, or of the transfer test."""

from __future__ import annotations

import sys
from collections.abc import Callable

from constraintlab.course.migration import TITLES
from constraintlab.course.progress import Progress
from constraintlab.course.transfer import DONE, LAB

ALL = "all"
NAMES = {
    "predictions": "prediction", "runs": "run", "forecasts": "fix", "checks": "exercise",
    "hints": "hint", "before": "answer", "after": "answer",
}  # fmt: skip
"""Parts of progress as a learner knows them; the others go with these."""


def chosen(which: str, progress: Progress) -> list[str]:
    """The labs that are meant: `3`, `03`, `transfer` or `all`. ValueError that names those."""
    if which == ALL:
        return sorted(progress.labs())
    name = which.zfill(2) if which.isdecimal() else which
    if name != LAB and name not in TITLES:
        raise ValueError(
            f"there is no lab {which!r}: use {min(TITLES)} to {max(TITLES)}, {LAB} or {ALL}"
        )
    return [name]


def told(progress: Progress, labs: list[str]) -> list[str]:
    """A line for each that has kept something: what would go."""
    lines = []
    for lab in labs:
        parts = progress.lab(lab)
        kept = [
            f"{n} {name}{_s(name, n)}"
            for part, name in NAMES.items()
            if (n := len(parts.get(part, {}).keys() - {DONE}))
        ]
        if any(parts.values()):
            what = f"lab {lab}, {TITLES[lab]}" if lab in TITLES else f"{lab} test"
            lines.append(f"{what}: {', '.join(kept) or 'its end'}")
    return lines


def _s(name: str, n: int) -> str:
    return "" if n == 1 else "es" if name.endswith("x") else "s"


def main(
    which: str, yes: bool, ask: Callable[[str], bool], progress: Progress | None = None
) -> int:
    """The exit status: 0 when it is forgotten or there was nothing, 1 if the answer is no, 2 for
    what can't be."""
    progress = progress or Progress(say=_say)
    try:
        labs = chosen(which, progress)
    except ValueError as error:
        _say(str(error))
        return 2
    lines = told(progress, labs)
    if not lines:
        print(f"Nothing is kept of {which}.")
        return 0
    print("\n".join(lines))
    if not yes and not ask("Forget this?"):
        print("Nothing was changed.")
        return 1
    try:
        backup = progress.reset(*labs)
    except OSError as error:
        _say(f"{progress.path} can't be written ({error.strerror}): nothing was changed")
        return 2
    print("Forgotten. Notebooks that are open must be run from the top.")
    if backup:
        print(f"As it was: {backup}")
        print(f"To have it back, copy that over {progress.path}")
    return 0


def _say(line: str) -> None:
    print(f"reset: {line}", file=sys.stderr)
