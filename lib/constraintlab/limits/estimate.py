"""A number with its spread, its unit and where it came from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median

SOURCES = ("measured", "counted", "recorded", "modelled", "n/a")


@dataclass(frozen=True)
class Estimate:
    """`value` with the interval `low`..`high` seen over repeats, in `unit`.

    `source` is one of `SOURCES`; a detail may follow a colon (`n/a: no NVIDIA GPU`,
    `recorded: H100 SXM, 2026-11-01`).
    """

    value: float
    low: float
    high: float
    unit: str
    source: str = "measured"

    def __post_init__(self) -> None:
        if self.source.split(":")[0] not in SOURCES:
            raise ValueError(f"source {self.source!r} is unknown: use one of {', '.join(SOURCES)}")
        if not self.missing and not self.low <= self.value <= self.high:
            raise ValueError(f"{self.value} lies outside its own spread {self.low}..{self.high}")

    @classmethod
    def of(cls, repeats: Sequence[float], unit: str, source: str = "measured") -> Estimate:
        """The median of `repeats`, with the lowest and highest as its spread."""
        if not repeats:
            raise ValueError("an estimate needs at least one repeat")
        return cls(median(repeats), min(repeats), max(repeats), unit, source)

    @classmethod
    def absent(cls, unit: str, why: str) -> Estimate:
        """No value, and the reason: it reads NaN and says `n/a: why`."""
        return cls(math.nan, math.nan, math.nan, unit, f"n/a: {why}")

    @property
    def missing(self) -> bool:
        return self.source.startswith("n/a")

    @property
    def spread(self) -> float:
        """Half the interval's width as a share of the value."""
        return (self.high - self.low) / (2 * self.value) if self.value else math.nan

    def scaled(self, factor: float) -> Estimate:
        """The same estimate times `factor`: what a fix does to a capacity. Absent stays absent."""
        if self.missing:
            return self
        return Estimate(
            self.value * factor, self.low * factor, self.high * factor, self.unit, "modelled"
        )

    def as_dict(self) -> dict:
        """Plain data for JSON; an absent value is null."""
        d = asdict(self)
        return {k: (None if isinstance(v, float) and math.isnan(v) else v) for k, v in d.items()}

    @classmethod
    def from_dict(cls, d: dict) -> Estimate:
        return cls(**{k: (math.nan if v is None else v) for k, v in d.items()})
