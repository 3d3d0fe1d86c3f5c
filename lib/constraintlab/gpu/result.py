"""`Result`: what a run of `make gpu` leaves, in two files that are whole after each part.

`gpu.json` has the shape of every bench, and besides which part each metric came from, how each
part ended, and a label. A dry run's file is called `dry-run.json` and can't take the other's place.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from constraintlab.gpu.here import DRY

NAME, DRY_NAME, LOG = "gpu.json", "dry-run.json", "gpu.log"

STATES = ("ran", "unavailable", "no time", "failed")


@dataclass(frozen=True)
class Ran:
    """How one part ended. status: one of STATES. reason: why, for all but `ran`."""

    part: str
    status: str
    seconds: float
    reason: str = ""
    date: str = ""

    @property
    def line(self) -> str:
        return f"{self.status}, {self.seconds:.0f} s" + (f": {self.reason}" if self.reason else "")


@dataclass
class Result:
    """folder: made where it is not there. machine: whose figures these are. dry: no GPU's."""

    folder: Path
    machine: Mapping[str, str]
    dry: bool
    date: str = ""
    results: list[dict] = field(default_factory=list)
    skipped: list[dict] = field(default_factory=list)
    parts: list[Ran] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Where these figures are from, in words."""
        return DRY if self.dry else f"measured on {self.machine.get('gpu', 'an unknown GPU')}"

    @property
    def failed(self) -> bool:
        return any(part.status == "failed" for part in self.parts)

    def add(self, name: str, status: str, seconds: float, reason: str = "") -> None:
        """A part that gave no report."""
        self.parts.append(Ran(name, status, round(seconds, 1), reason, self.date))

    def take(self, name: str, seconds: float, told: Mapping) -> None:
        """A part's report. One that names a metric `failed` counts as failed, with its reason."""
        self.machine = {**told["machine"], **self.machine}
        self.results += [{"part": name, **row} for row in told["results"]]
        self.skipped += [{"part": name, **row} for row in told["skipped"]]
        broken = [row["reason"] for row in told["skipped"] if row["metric"] == "failed"]
        self.add(name, "failed" if broken else "ran", seconds, "; ".join(broken))

    def go_on_from(self, path: Path, again: Collection[str]) -> None:
        """Take over what an earlier run's file has of the parts that are not run `again`.

        ValueError for a file of another machine or driver, and for a dry run's in a real run.
        """
        told = json.loads(path.read_text(encoding="utf-8")) if self.dry else load(path)
        for what in ("gpu", "driver", "torch"):
            now, then = self.machine.get(what), told["machine"].get(what)
            if now != then:
                raise ValueError(f"{path} is of {what} {then}, this is {now}: give another folder")
        self.machine = {**told["machine"], **self.machine}
        self.results = [row for row in told["results"] if row["part"] not in again]
        self.skipped = [row for row in told["skipped"] if row["part"] not in again]
        self.parts = [Ran(**part) for part in told["parts"] if part["part"] not in again]

    def as_dict(self) -> dict:
        """The file's content."""
        return {
            "bench": "gpu", "label": self.label, "dry_run": self.dry, "date": self.date,
            "machine": dict(self.machine), "parts": [asdict(part) for part in self.parts],
            "results": self.results, "skipped": self.skipped,
        }  # fmt: skip

    def write(self) -> Path:
        """Both files, each whole or as it was before."""
        self.folder.mkdir(parents=True, exist_ok=True)
        told = "".join(f"==== {name}\n{text.rstrip()}\n" for name, text in self.logs.items())
        _write(self.folder / LOG, f"{self.label}\n{told}")
        path = self.folder / (DRY_NAME if self.dry else NAME)
        _write(path, json.dumps(self.as_dict(), indent=1, allow_nan=False) + "\n")
        return path


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, path)


def load(path: Path) -> dict:
    """A real run's file. ValueError for a dry run's, however it is called, and for another file."""
    told = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(told, dict) or told.get("bench") != "gpu":
        raise ValueError(f"{path.name} is no result of `make gpu`")
    if told.get("dry_run", True) or told.get("label") == DRY:
        raise ValueError(f"{path.name} is a {DRY}: run `make gpu` on a machine with a GPU")
    return told
