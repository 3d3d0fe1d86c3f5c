"""Real workloads from published traces: when requests came, and how many tokens they had.

The files are never part of this project: the variable CONSTRAINTLAB_TRACES names their folder.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

VARIABLE = "CONSTRAINTLAB_TRACES"
CONVERSATION, CODE = "azure_llm_2023_conv.csv", "azure_llm_2023_code.csv"


class NoTraces(FileNotFoundError):
    """The trace is not on this machine; the message says where to get it and how to name it."""


@dataclass(frozen=True)
class Asked:
    """A request of a trace: seconds since its first one, prompt tokens, answer tokens."""

    at: float
    prompt: int
    output: int


def path(name: str) -> Path:
    """Where a trace lies; NoTraces if it can't be had."""
    folder = os.environ.get(VARIABLE)
    found = Path(folder or ".") / name
    if not folder or not found.exists():
        where = f"{folder} has none" if folder else f"{VARIABLE} is not set"
        raise NoTraces(
            f"no trace {name}: {where}. Get it from github.com/Azure/AzurePublicDataset "
            f"(CC-BY-4.0) and set {VARIABLE} to its folder"
        )
    return found


def azure(name: str = CONVERSATION) -> Sequence[Asked]:
    """An Azure LLM inference trace of 2023, in order of arrival. ValueError names a bad line."""
    file = path(name)
    found: list[Asked] = []
    first: datetime | None = None
    with file.open(newline="", encoding="utf-8") as lines:
        for line in csv.DictReader(lines):
            try:
                # Seven digits of a second; Python reads six.
                at = datetime.fromisoformat(line["TIMESTAMP"][:26])
                prompt, output = int(line["ContextTokens"]), int(line["GeneratedTokens"])
            except (KeyError, ValueError, TypeError) as error:
                raise ValueError(f"{file}, request {len(found) + 1}: {error}") from None
            first = first or at
            found.append(Asked((at - first).total_seconds(), prompt, output))
    return found
