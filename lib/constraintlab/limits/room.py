"""`Room`: how many sequences slots and pool hold together, where what the pool holds varies.

Long requests fill a pool with few, short ones let more in, so now the slots bind and now the pool.
With a pool's room K normally distributed, the mean of min(slots, K) bends slowly where the two
are close, and raising either buys a part: slots by how often they bind, the pool the rest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
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


SELDOM = 0.01
"""A share of the time that is too small to be told from none."""


def placed(room: Room, places: float, short: float) -> Room:
    """The room with the pool that leaves so many places in the mean, as counted. short: the share
    of the time in which the pool was short before the slots: if hardly ever, then `room` itself,
    with a pool no smaller than that says."""
    spread, seldom = room.spread, NORMAL.inv_cdf(1 - SELDOM)
    if not math.isfinite(room.slots) or not math.isfinite(room.kv):
        return room
    if short <= SELDOM or places >= room.slots:
        return replace(room, kv=max(room.kv, room.slots / max(0.1, 1 - seldom * spread)))
    low, high = places / 2, room.slots / max(0.1, 1 - 4 * spread)
    while high / low > 1 + 1e-9:
        middle = math.sqrt(low * high)
        fewer = replace(room, kv=middle).places < places
        low, high = (middle, high) if fewer else (low, middle)
    return replace(room, kv=low)
