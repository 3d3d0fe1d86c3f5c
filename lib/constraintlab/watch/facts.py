"""`Facts`: what a window says of a server, in the words that rules are written in.

Each is a number with its source, or absent with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from constraintlab.telemetry.source import Reading


@dataclass(frozen=True)
class Told:
    """What a person says of a server that its metrics don't: the most requests that it runs, and
    a GPU's peak FLOP/s and bytes/s."""

    slots: float | None = None
    flops: float | None = None
    bytes: float | None = None


@dataclass(frozen=True)
class Facts(Mapping[str, float]):
    """`facts[name]` is a number; a KeyError says why there is none. `get` gives None instead."""

    readings: Mapping[str, Reading]
    parts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> float:
        value = self.readings[name].value
        if value is None:
            raise KeyError(self.why(name))
        return value

    def __contains__(self, name: object) -> bool:
        return name in self.readings and self.readings[name].value is not None

    def __iter__(self) -> Iterator[str]:
        return (n for n in self.readings if n in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def but(self, **values: float) -> Facts:
        """The same with some values instead of those there are, to ask what if."""
        changed = {n: replace(self.readings[n], value=v) for n, v in values.items()}
        return replace(self, readings={**self.readings, **changed})

    def why(self, name: str) -> str:
        """Why a fact is absent; empty if it is there."""
        return "" if name in self else self.readings[name].source.removeprefix("n/a: ")
