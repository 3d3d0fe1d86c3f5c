"""`Tape`: a lab's recording, read from its file; `write` makes that file.

JSON Lines in ASCII, compressed with gzip. The first line is the header:

    {"constraintlab": "lab recording", "version": 1, "lab": "04", "started": "2026-03-01T09:30:00+00:00",
     "machine": {"cpu": "…", "cores": "2"}, "versions": {"torch": "…"}, "device": "cpu",
     "preset": "full", "command": "make execute", "sources": ["measured", "modelled"]}

and every other line is an event: `t` in seconds since the start, `do`, what happened, and the
rest by that. `view`, `row`, `scene`: what a panel's page got, and `panel`, which one.
`question`, `reveal`, `run`, `said`, `claim`, `strip`: what the lab asked, found, told and kept.
`cell` is the number of the notebook's input, where there is one. Keys and events may be added; a
change of what is written here raises `version`.
"""  # noqa: E501

from __future__ import annotations

import gzip
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from constraintlab.telemetry.recorded import RecordingError, head_of, origin, parsed

KIND, VERSION = "lab recording", 1
SUFFIX, PART = ".jsonl.gz", ".part"
"""How a recording's file ends, and what is before that while it is being written."""
DEVICES = ("cpu", "gpu")
NEEDS = {
    "view": ("panel", "view"),
    "row": ("panel", "epoch", "row"),
    "scene": ("panel", "name", "head", "buffers"),
    "question": ("key", "question", "options"),
    "reveal": ("key", "question", "options", "truth", "because"),
    "run": ("name", "text"),
    "said": ("text", "constraints"),
    "claim": ("text", "holds"),
    "strip": ("constraint", "note"),
}
"""What each event has besides `t` and `do`."""


@dataclass(frozen=True)
class Head:
    """The first line. device: one of DEVICES; sources: the kinds of source of what is shown."""

    lab: str
    device: str
    started: str
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    preset: str = "full"
    command: str = ""
    sources: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """The machine and the day, in words."""
        return origin(self.machine, self.started)

    @property
    def date(self) -> str:
        return self.started[:10]

    def as_dict(self) -> dict:
        """The line as it is written."""
        return {
            "constraintlab": KIND, "version": VERSION, "lab": self.lab, "device": self.device,
            "started": self.started, "machine": dict(self.machine),
            "versions": dict(self.versions), "preset": self.preset, "command": self.command,
            "sources": list(self.sources),
        }  # fmt: skip


@dataclass(frozen=True)
class Tape:
    """name: the file's, without its ending. notes: what was lost of it, as sentences to show."""

    name: str
    head: Head
    events: tuple[dict, ...]
    notes: tuple[str, ...] = ()


def line(said: Mapping) -> bytes:
    """A line of the file."""
    text = json.dumps(said, allow_nan=False, separators=(",", ":"), default=float)
    return text.encode("ascii") + b"\n"


def packed(head: Head, events: Iterable[Mapping]) -> bytes:
    """The file's bytes; the same for the same recording."""
    return gzip.compress(b"".join(map(line, (head.as_dict(), *events))), 9, mtime=0)


def write(path: str | os.PathLike[str], head: Head, events: Iterable[Mapping]) -> None:
    """Make the file, whole or not at all; one of that name is replaced."""
    path = Path(path)
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.write_bytes(packed(head, events))
        os.replace(fresh, path)
    except OSError as error:
        raise RecordingError(f"{path} can't be written: {error.strerror or error}") from error


def read(path: str | os.PathLike[str]) -> Tape:
    """The recording in a file. A last line that was cut off is dropped, a damaged one is skipped,
    and each leaves a note. Raises RecordingError when there is no header that can be read."""
    path = Path(path)
    head, events, notes = parsed(path, _head, _event)
    events.sort(key=lambda event: event["t"])
    return Tape(path.name.removesuffix(SUFFIX), head, tuple(events), tuple(notes))


def _head(path: Path, text: bytes) -> Head:
    said = head_of(path, text, KIND, VERSION)
    try:
        lab, device, started = str(said["lab"]), str(said["device"]), str(said["started"])
        machine, versions = _words(said["machine"]), _words(said["versions"])
        sources = tuple(map(str, said["sources"]))
        if device not in DEVICES:
            raise KeyError(f"a device of {', '.join(DEVICES)}")
    except (KeyError, TypeError, AttributeError) as error:
        raise RecordingError(
            f"the header of {path} lacks what version {VERSION} has ({error}): record again"
        ) from None
    preset, command = str(said.get("preset", "full")), str(said.get("command", ""))
    return Head(lab, device, started, machine, versions, preset, command, sources)


def _words(table: Mapping) -> dict[str, str]:
    return {str(key): str(value) for key, value in table.items()}


def _event(said: object) -> dict:
    """An event's line; ValueError says what is wrong with it."""
    if not isinstance(said, dict) or not isinstance(said.get("do"), str):
        raise ValueError("no event")
    t = said.get("t")
    if isinstance(t, bool) or not isinstance(t, int | float) or not math.isfinite(t):
        raise ValueError("its t is no number")
    lacks: Sequence[str] = [k for k in NEEDS.get(said["do"], ()) if k not in said]
    if lacks:
        raise ValueError(f"{said['do']} without {', '.join(lacks)}")
    return said
