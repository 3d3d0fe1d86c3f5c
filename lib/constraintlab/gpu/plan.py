"""The parts of `make gpu`, in order of worth: what is cut off by the clock is worth least."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

PARTS = (
    "doctor", "tests", "attention", "paged", "ablation", "telemetry", "claims", "sanitizer",
    "recordings",
)  # fmt: skip
"""Names of the modules of `constraintlab.gpu.parts`."""

LIMIT = 460.0
"""Seconds for all of them, within eight minutes with what starting and writing takes."""


def part(name: str) -> ModuleType:
    """The part of that name; ValueError says which there are.

    WHAT: a line of words. LEAST: seconds without which it is not begun; MOST: after which it is
    stopped. run(here, say) -> bench.report.Report, or raises `Unavailable` with the reason.
    """
    if name not in PARTS:
        raise ValueError(f"there is no part {name!r}: use {', '.join(PARTS)}")
    return import_module(f"constraintlab.gpu.parts.{name}")
