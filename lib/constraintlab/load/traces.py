"""Real workloads from published traces: when requests came, and how many tokens they had.

The files are never part of this project: the variable CONSTRAINTLAB_TRACES names their folder.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import msgspec

VARIABLE = "CONSTRAINTLAB_TRACES"
CONVERSATION, CODE = "azure_llm_2023_conv.csv", "azure_llm_2023_code.csv"
MOONCAKE = "mooncake_fast25_conversation.jsonl"
BLOCK = 512
"""Tokens of one of Mooncake's blocks."""

ORIGINS = {
    "azure": "github.com/Azure/AzurePublicDataset (CC-BY-4.0)",
    "mooncake": "github.com/kvcache-ai/Mooncake (Apache-2.0)",
    "servegen": "github.com/alibaba/ServeGen (Apache-2.0)",
}


class NoTraces(FileNotFoundError):
    """The trace is not on this machine; the message says where to get it and how to name it."""


@dataclass(frozen=True)
class Asked:
    """A request of a trace: seconds since its first one, prompt tokens, answer tokens.

    blocks: numbers of the prompt's blocks of BLOCK tokens, the last one perhaps not full; prompts
    that begin with equal numbers begin with equal text. Empty where the trace does not say.
    """

    at: float
    prompt: int
    output: int
    blocks: tuple[int, ...] = ()


def path(name: str) -> Path:
    """Where a trace lies; NoTraces if it can't be had."""
    folder = os.environ.get(VARIABLE)
    found = Path(folder or ".") / name
    if not folder or not found.exists():
        where = f"{folder} has none" if folder else f"{VARIABLE} is not set"
        origin = ORIGINS.get(name.split("_")[0], "where it was published")
        raise NoTraces(
            f"no trace {name}: {where}. Get it from {origin} and set {VARIABLE} to its folder"
        )
    return found


def azure(name: str = CONVERSATION) -> Sequence[Asked]:
    """An Azure LLM inference trace of 2023, in order of arrival. ValueError names a bad line or
    an empty file."""
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
    return _some(found, file)


class _Line(msgspec.Struct):
    timestamp: float
    input_length: int
    output_length: int
    hash_ids: tuple[int, ...]


def mooncake(name: str = MOONCAKE) -> Sequence[Asked]:
    """A trace of Mooncake's, in order of arrival. ValueError names a bad line or an empty
    file.

    Its moments are whole multiples of about 3 s: replay them with that `spread`.
    """
    file, decoder = path(name), msgspec.json.Decoder(_Line)
    found: list[Asked] = []
    with file.open("rb") as lines:
        for line in lines:
            try:
                x = decoder.decode(line)
                if len(x.hash_ids) != -(-x.input_length // BLOCK):
                    raise ValueError(f"{len(x.hash_ids)} blocks for {x.input_length} tokens")
            except (ValueError, msgspec.MsgspecError) as error:
                raise ValueError(f"{file}, request {len(found) + 1}: {error}") from None
            found.append(Asked(x.timestamp / 1e3, x.input_length, x.output_length, x.hash_ids))
    return [replace(a, at=a.at - found[0].at) for a in _some(found, file)]


def _some(found: list[Asked], file: Path) -> list[Asked]:
    if not found:
        raise ValueError(f"{file} has no request in it: get the whole trace again")
    return found
