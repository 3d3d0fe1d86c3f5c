"""`constraintlab recordings` and `constraintlab replay`."""

from __future__ import annotations

import json
import sys
import webbrowser
from pathlib import Path

from constraintlab.limits.home import home
from constraintlab.recordings import catalogue, page, play, sides
from constraintlab.recordings.tape import Tape
from constraintlab.telemetry.recorded import RecordingError


def listed(as_json: bool, png: Path | None = None) -> int:
    """Print the shipped recordings and what bound in each, CPU beside GPU; 1 where one can't be
    read. png: draw that instead, into this file."""
    try:
        tapes = [catalogue.find(name) for name in catalogue.names()]
    except RecordingError as error:
        print(f"recordings: {error}", file=sys.stderr)
        return 1
    if png is not None:
        return _drawn(tapes, png)
    found = [catalogue.described(tape) for tape in tapes]
    if as_json:
        print(json.dumps(found))
        return 0
    if not found:
        print("No recording is shipped yet. `make execute` makes those of this machine.")
    for one in found:
        device = one["device"]
        where = f"{device['kind'].upper()}, {device['name']}, {one['date']}"
        print(f"{one['name']}: lab {one['lab']}, {where}; {', '.join(one['sources'])}")
    if tapes:
        print("\nWhat bound, run by run:")
        rows = [("lab", *sides.NAMES.values()), *sides.table(tapes)]
        wide = max(len(cpu) for _, cpu, _ in rows)
        for lab, cpu, gpu in rows:
            print(f"{lab:<4} {cpu:<{wide}}  {gpu}")
    return 0


def _drawn(tapes: list[Tape], png: Path) -> int:
    from constraintlab.recordings.sides_chart import picture

    try:
        png.write_bytes(picture(sides.rows(tapes)).png())
    except OSError as error:
        print(f"recordings: {png} can't be written ({error.strerror})", file=sys.stderr)
        return 1
    print(png)
    return 0


def replayed(name: str, html: Path | None) -> int:
    """Write a page of a recording and open it in a browser, or only write it to `html`."""
    try:
        tape = catalogue.find(name)
        others = [t for t in catalogue.of_lab(tape.head.lab) if t.head.device != tape.head.device]
    except RecordingError as error:
        print(f"replay: {error}", file=sys.stderr)
        return 1
    lab = tape.head.lab
    path = html or home().path / "replay" / f"{tape.name}.html"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        made = page.html(f"Lab {lab}, recorded", play.packed(lab, [tape, *others]))
        path.write_text(made, encoding="utf-8")
    except OSError as error:
        why = f"{path} can't be written ({error.strerror})"
        print(f"replay: {why}: name another file with --html", file=sys.stderr)
        return 1
    print(path)
    if html is None and not webbrowser.open(path.resolve().as_uri()):
        print("There is no browser here: copy the file to where there is one.", file=sys.stderr)
    return 0
