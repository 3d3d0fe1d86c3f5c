"""What this learner measured, predicted and finished: one small file, written atomically."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from constraintlab.limits.home import home
from constraintlab.limits.keeping import locked, write

VERSION = 1


class Progress:
    """A JSON document `{"version", "labs": {lab: {part: {key: value}}}}`.

    Parts are `predictions`, `confidence` and `reveals` (the learner's), `forecasts` (the tool's),
    `runs`, `strip`, `checks` and `hints`. The transfer test is kept as a lab called `transfer`.

    Two notebooks may write at once: each change re-reads the file under a lock, so that
    neither loses the other's. Who is killed while it writes leaves the file as it was. A damaged
    file is set aside and named, never overwritten.
    """

    def __init__(self, path: Path | None = None, say: Callable[[str], object] = print) -> None:
        self.path = path or home().path / "progress.json"
        self._say = say

    def lab(self, lab: str) -> dict:
        """A copy of what is kept for one lab."""
        return self._read()["labs"].get(lab, {})

    def labs(self) -> dict[str, dict]:
        """A copy of everything, by lab."""
        return self._read()["labs"]

    def put(self, lab: str, part: str, key: str, value: object) -> None:
        """Keep `value` under labs[lab][part][key]."""
        self.change(lab, part, key, lambda _: value)

    def first(self, lab: str, part: str, key: str, value: object) -> None:
        """Keep `value` there unless something is kept there already."""
        self.change(lab, part, key, lambda kept: value if kept is None else kept)

    def change(self, lab: str, part: str, key: str, to: Callable[[object], object]) -> object:
        """Keep what `to` makes of what was kept there, None if nothing was; returns it. Nobody
        else writes in between."""
        with locked(self.path):
            whole = self._read()
            there = whole["labs"].setdefault(lab, {}).setdefault(part, {})
            there[key] = to(there.get(key))
            self._write(whole)
            return there[key]

    def reset(self, *labs: str) -> Path | None:
        """Forget these labs. Returns the copy of the file that is kept beside it; None, and
        nothing is done, where none of them has kept anything."""
        with locked(self.path):
            whole = self._read()
            if not any(whole["labs"].get(lab) for lab in labs):
                return None
            stamp = time.strftime("%Y%m%d-%H%M%S")
            backup = self.path.with_name(f"progress.before-reset-{stamp}-{os.getpid()}.json")
            backup.write_bytes(self.path.read_bytes())
            for lab in labs:
                whole["labs"].pop(lab, None)
            self._write(whole)
            return backup

    def _write(self, whole: dict) -> None:
        write(self.path, json.dumps(whole, indent=1))

    def _read(self) -> dict:
        empty = {"version": VERSION, "labs": {}}
        try:
            whole = json.loads(self.path.read_text())
            if whole["version"] != VERSION or not isinstance(whole["labs"], dict):
                raise ValueError(f"version {whole['version']}, this constraintlab reads {VERSION}")
            for lab, parts in whole["labs"].items():
                if not isinstance(parts, dict) or not all(
                    isinstance(part, dict) for part in parts.values()
                ):
                    raise ValueError(f"lab {lab} is no table of tables")
            return whole
        except FileNotFoundError:
            return empty
        except (ValueError, KeyError, TypeError, OSError) as error:
            aside = self.path.with_name(f"progress.unreadable-{os.getpid()}.json")
            with suppress(OSError):
                os.replace(self.path, aside)
            self._say(
                f"{self.path.name} was unreadable ({error}). It is kept as {aside.name}; "
                "progress starts afresh."
            )
            return empty
