"""Rotary positions: how fast each pair of a head's values turns, and what stretches it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Rope:
    """Pair i of a head turns by position · theta^(−2i/D), slower where it is stretched.

    kind: `default`; `linear`, all pairs `factor` times slower; `llama3`, only the slow ones: those
    with fewer than `low` turns in `original` positions get the whole factor, those with more than
    `high` none, between them part of it (Llama 3.1's model card).
    """

    theta: float
    kind: str = "default"
    factor: float = 1.0
    low: float = 1.0
    high: float = 4.0
    original: int = 8192

    @classmethod
    def from_dict(cls, given: Mapping, theta: float) -> Rope:
        """From a `rope_scaling` or `rope_parameters` entry; `theta` unless the entry has its own.

        Raises ValueError for a kind of scaling that is not supported, naming it.
        """
        theta = float(given.get("rope_theta", theta))
        kind = given.get("rope_type", given.get("type", "default"))
        if given.get("partial_rotary_factor", 1.0) != 1.0:
            raise ValueError("partial_rotary_factor: only whole heads are rotated here")
        if kind == "default":
            return cls(theta)
        try:
            if kind == "linear":
                return cls(theta, kind, float(given["factor"]))
            if kind == "llama3":
                return cls(
                    theta,
                    kind,
                    float(given["factor"]),
                    float(given["low_freq_factor"]),
                    float(given["high_freq_factor"]),
                    int(given["original_max_position_embeddings"]),
                )
        except KeyError as missing:
            raise ValueError(f"rope scaling {kind!r} lacks {missing}") from None
        raise ValueError(f"rope scaling {kind!r} is not supported: default, linear and llama3 are")

    def as_dict(self) -> dict:
        """As `from_dict` reads it."""
        found: dict = {"rope_theta": self.theta, "rope_type": self.kind}
        if self.kind != "default":
            found["factor"] = self.factor
        if self.kind == "llama3":
            found |= {
                "low_freq_factor": self.low,
                "high_freq_factor": self.high,
                "original_max_position_embeddings": self.original,
            }
        return found

    def speeds(self, dim: int) -> list[float]:
        """Radians per position of each of the dim/2 pairs."""
        return [self._stretched(self.theta ** (-2 * i / dim)) for i in range(dim // 2)]

    def _stretched(self, speed: float) -> float:
        if self.kind == "default":
            return speed
        if self.kind == "linear":
            return speed / self.factor
        turns = self.original * speed / (2 * math.pi)
        keep = min(1.0, max(0.0, (turns - self.low) / (self.high - self.low)))
        return speed * (keep + (1 - keep) / self.factor)
