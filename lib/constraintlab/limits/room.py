"""`Room`: how many sequences slots and pool hold together, where what the pool holds varies.

Long requests fill a pool with few, short ones let more in, so now the slots bind and now the pool.
With a pool's room K normally distributed, the mean of min(slots, K) bends slowly where the two
are close, and raising either buys a part: slots by how often they bind, the pool the rest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

NORMAL = NormalDist()


@dataclass(frozen=True)
class Room:
    """slots: sequences. pool: those that the KV pool holds in the mean, `spread` its standard
    deviation ÷ its mean. Both may be infinite."""

    slots: float
    kv: float
    spread: float = 0.0

    @property
    def _varies(self) -> bool:
        return self.spread > 0 and math.isfinite(self.slots) and math.isfinite(self.kv)

    @property
    def places(self) -> float:
        """The mean of min(slots, K)."""
        if not self._varies:
            return min(self.slots, self.kv)
        deviation = self.spread * self.kv
        return self.slots - deviation * _below((self.slots - self.kv) / deviation)

    @property
    def pool(self) -> float:
        """By what share of a percent the places grow per percent of the pool; slots: the rest."""
        if not self._varies:
            return float(self.slots >= self.kv and math.isfinite(self.kv))
        above = 1 - NORMAL.cdf((self.slots - self.kv) / (self.spread * self.kv))
        return min(1.0, max(0.0, 1 - self.slots * above / self.places))


def _below(z: float) -> float:
    """The mean of max(0, z − Z) for a standard normal Z."""
    return z * NORMAL.cdf(z) + NORMAL.pdf(z)


def fitted(slots: float, places: float, short: float) -> tuple[float, float] | None:
    """kv and spread of the room whose pool is short of the slots in a share `short` of the time, 0
    to 1, with so many places in the mean; None where no room is like that."""
    if not 0 < short < 1 or not places < slots:
        return None
    z = NORMAL.inv_cdf(short)
    deviation = (slots - places) / _below(z)
    kv = slots - z * deviation
    return (kv, deviation / kv) if kv > deviation else None
