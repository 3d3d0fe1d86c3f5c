"""`Here`: what a part is told of where it runs, and `Unavailable`, how it says that it can't."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

Say = Callable[[str], object]

DRY = "dry run: not a measurement of a GPU"
"""Stands in every file and line of a run that used no GPU."""

NO_GPU = "no NVIDIA GPU here"


class Unavailable(Exception):
    """A part can't run on this machine; the message is the reason, and names the fix."""


@dataclass(frozen=True)
class Here:
    """device: `cuda`, or `cpu` in a dry run. scratch: a folder that goes when all is done. out:
    where the results lie. seconds: how long this part may take. results: those of the parts
    before it."""

    device: str
    scratch: Path
    out: Path
    seconds: float = 480.0
    results: tuple[dict, ...] = field(default=(), repr=False)

    @property
    def dry(self) -> bool:
        return self.device != "cuda"

    def value(self, metric: str) -> float | None:
        """What an earlier part measured, or None."""
        return next((r["value"] for r in self.results if r["metric"] == metric), None)
