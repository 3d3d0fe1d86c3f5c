"""The contract of a telemetry source, and `Reading`, the one thing it hands out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Reading:
    """One value and where it came from; `value` is None exactly when `source` is `n/a: why`."""

    value: float | None
    source: str

    def __post_init__(self) -> None:
        if (self.value is None) != self.source.startswith("n/a"):
            raise ValueError(f"{self.value!r} can't be labelled {self.source!r}: only n/a has None")

    @classmethod
    def measured(cls, value: float) -> Reading:
        return cls._of(value, "measured")

    @classmethod
    def counted(cls, value: float) -> Reading:
        return cls._of(value, "counted")

    @classmethod
    def absent(cls, why: str) -> Reading:
        return cls(None, f"n/a: {why}")

    @classmethod
    def _of(cls, value: float, source: str) -> Reading:
        # NaN and infinity are no readings, and JSON has no word for them.
        return cls(value, source) if math.isfinite(value) else cls.absent("not a finite number")


@runtime_checkable
class Source(Protocol):
    """Something that can be read ten times a second.

    `name` is unique within a sampler. `read()` returns every value that the source has, by
    dotted name, always under the same names, within a millisecond, from any one thread. It
    never raises: what could not be read is a `Reading.absent(why)`, and the others still come.
    What must be opened is opened by the first `read()`, so that building a source touches no
    driver; `close()` gives it back, may be called twice, and a later `read()` opens it again.
    Values over an interval (rates, shares) are taken since the read before, unless the name's
    entry in `names.NAMES` says otherwise; the first read of such a value is absent.
    """

    name: str

    def read(self) -> Mapping[str, Reading]: ...

    def close(self) -> None: ...


FIRST = "the first reading starts the interval"


def all_absent(names: Iterable[str], why: str) -> dict[str, Reading]:
    """The same reason for every name: no driver, no such system."""
    reading = Reading.absent(why)
    return dict.fromkeys(names, reading)
