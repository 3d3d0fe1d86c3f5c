"""The recordings that are shipped, in data/recordings, and the one that somebody names."""

from __future__ import annotations

from pathlib import Path

from constraintlab.recordings.tape import PART, SUFFIX, Tape, read
from constraintlab.telemetry.recorded import RecordingError

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "data" / "recordings"


def paths(folder: Path = FOLDER) -> list[Path]:
    """Files of whole recordings, by name; none where there is no such folder."""
    found = sorted(folder.glob(f"*{SUFFIX}"))
    return [p for p in found if not p.name.startswith(".") and not p.name.endswith(PART + SUFFIX)]


def names(folder: Path = FOLDER) -> list[str]:
    return [path.name.removesuffix(SUFFIX) for path in paths(folder)]


def find(name: str, folder: Path = FOLDER) -> Tape:
    """A shipped recording by its name, or any by the path of its file; RecordingError that says
    which there are."""
    if name in names(folder):
        return read(folder / f"{name}{SUFFIX}")
    if name.endswith(SUFFIX):
        return read(name)
    have = f"use {', '.join(names(folder))}" if names(folder) else "none is shipped yet"
    raise RecordingError(f"no recording {name!r}: {have}, or give the path of a {SUFFIX} file")


def of_lab(lab: str, folder: Path = FOLDER) -> list[Tape]:
    """Every recording of a lab (two digits)."""
    return [tape for tape in map(read, paths(folder)) if tape.head.lab == lab]


def described(tape: Tape) -> dict:
    """A recording as `constraintlab recordings --json` lists it."""
    head = tape.head
    name = head.machine.get("gpu") if head.device == "gpu" else head.machine.get("cpu")
    device = {"kind": head.device, "name": name or "unknown"}
    return {
        "name": tape.name, "lab": head.lab, "date": head.date, "device": device,
        "sources": list(head.sources), "preset": head.preset, "machine": dict(head.machine),
        "versions": dict(head.versions), "command": head.command,
    }  # fmt: skip
