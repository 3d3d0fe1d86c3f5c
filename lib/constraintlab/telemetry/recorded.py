"""`Recording`: what `recording.read` gets back from a file, damaged ones included."""

from __future__ import annotations

import gzip
import json
import math
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from constraintlab.telemetry.names import Quantity
from constraintlab.telemetry.sample import Sample

KIND = "recording"
VERSION = 1
LONGEST = 1 << 22
"""Bytes: no line is longer, so a huge file of something else is not taken into memory."""


H, T = TypeVar("H"), TypeVar("T")


class RecordingError(Exception):
    """A recording that can't be written or read; the message names the fix."""


@dataclass(frozen=True)
class Header:
    """A recording's first line. started: ISO 8601; names: unit and meaning of the values."""

    machine: Mapping[str, str]
    started: str
    names: Mapping[str, Quantity]
    note: str = ""
    version: int = VERSION

    @property
    def origin(self) -> str:
        """The machine and the day: what stands behind `recorded: ` in a source."""
        return origin(self.machine, self.started)


def origin(machine: Mapping[str, str], started: str) -> str:
    """`AMD EPYC, 2 cores, 2026-03-01`: a machine in words and the day of an ISO 8601 moment."""
    cores = f", {machine['cores']} cores" if "cores" in machine else ""
    cpu = f"{machine['cpu']}{cores}" if machine.get("cpu") else "unknown machine"
    return f"{machine.get('gpu') or cpu}, {started[:10]}"


@dataclass(frozen=True)
class Recording:
    """notes: what was lost of the file, as sentences to show; empty for a whole one."""

    header: Header
    samples: tuple[Sample, ...]
    notes: tuple[str, ...] = ()


def clean(value: object, source: str) -> tuple[float | None, str]:
    """A value and source that agree: None exactly under `n/a`; JSON has no NaN and no infinity."""
    if source.startswith("n/a"):
        return None, source
    try:
        if value is not None and math.isfinite(value):
            return value, source
    except OverflowError:  # an integer beyond any float
        pass
    return None, "n/a: not a finite number"


def read(path: str | os.PathLike[str]) -> Recording:
    """The recording in a file, plain or gzipped.

    A last line that was cut off is dropped, a damaged one before it is skipped, and each leaves
    a note. Raises RecordingError when there is no header that can be read.
    """
    header, samples, notes = parsed(Path(path), _header, _sample)
    return Recording(header, tuple(samples), tuple(notes))


def parsed(
    path: Path, header: Callable[[Path, bytes], H], one: Callable[[object], T]
) -> tuple[H, list[T], list[str]]:
    """A recording's header, its other lines, and notes on what was lost, as `read` says. one: makes
    something of a line's JSON; ValueError for a damaged one."""
    notes: list[str] = []
    found: list[T] = []
    try:
        lines = enumerate(lines_of(path, notes), 1)
        head = header(path, next(lines, (1, b""))[1])
        for number, line in lines:
            try:
                found.append(one(json.loads(line)))
            except (ValueError, RecursionError) as error:
                if line.endswith(b"\n"):
                    notes.append(f"line {number} is damaged and was skipped ({error})")
                else:
                    notes.append(f"the last line, {number}, was cut off and is dropped")
    except FileNotFoundError:
        raise RecordingError(f"there is no file {path}: check its name") from None
    except OSError as error:
        raise RecordingError(f"{path} can't be read: {error.strerror or error}") from error
    return head, found, notes


def lines_of(path: Path, notes: list[str]) -> Iterator[bytes]:
    """The lines of a file, plain or gzipped; where its end is lost a note says so."""
    with open(path, "rb") as plain:
        zipped = plain.read(2) == b"\x1f\x8b"
        plain.seek(0)
        file = gzip.open(plain) if zipped else plain  # noqa: SIM115 - `with` ends both
        try:
            while line := file.readline(LONGEST):
                yield line
        except (EOFError, zlib.error, gzip.BadGzipFile):
            notes.append("the compressed file was cut off or is damaged: its end is lost")


def head_of(path: Path, line: bytes, kind: str, version: int) -> dict:
    """The first line of a file of this kind and version; RecordingError for any other."""
    if not line:
        raise RecordingError(f"{path} is empty: the recording ended before its first line")
    try:
        head = json.loads(line)
        ours = isinstance(head, dict) and head.get("constraintlab") == kind
    except (ValueError, RecursionError):
        ours = False
    start = json.dumps({"constraintlab": kind})[:-1].encode()
    if not ours and not line.endswith(b"\n") and (line.startswith(start) or start.startswith(line)):
        raise RecordingError(f"{path} was cut off in its first line: it holds nothing else")
    if not ours:
        raise RecordingError(
            f"{path} is no Constraint Lab {kind}: its first line must be the header that its "
            "recorder writes"
        )
    if head.get("version") != version:
        raise RecordingError(
            f"{path} is a {kind} of version {head.get('version')!r}, and this constraintlab "
            f"reads version {version}: upgrade it with pip install -U constraintlab"
        )
    return head


def _header(path: Path, line: bytes) -> Header:
    head = head_of(path, line, KIND, VERSION)
    try:
        names = {
            str(name): Quantity(str(what["unit"]), str(what["meaning"]))
            for name, what in head["names"].items()
        }
        machine = {str(key): str(value) for key, value in head["machine"].items()}
        return Header(machine, str(head["started"]), names, str(head.get("note", "")))
    except (KeyError, TypeError, AttributeError) as error:
        raise RecordingError(
            f"the header of {path} lacks what version {VERSION} has ({error}): record again"
        ) from None


def _sample(line: object) -> Sample:
    """A sample line; ValueError says what is wrong with it."""
    if not isinstance(line, dict) or not {"t", "values", "sources"} <= line.keys():
        raise ValueError("no sample")
    t, values, sources = line["t"], line["values"], line["sources"]
    if not _number(t) or not math.isfinite(t):
        raise ValueError("its t is no number")
    if not isinstance(values, dict) or not isinstance(sources, dict):
        raise ValueError("its values or sources are no table")
    if not all(v is None or _number(v) for v in values.values()):
        raise ValueError("a value is no number")
    if not all(isinstance(s, str) for s in sources.values()):
        raise ValueError("a source is no text")
    pairs = {
        name: clean(value, sources.get(name, "n/a: no source")) for name, value in values.items()
    }
    return Sample(
        float(t), {n: v for n, (v, _) in pairs.items()}, {n: s for n, (_, s) in pairs.items()}
    )


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
