"""`Room`: how many sequences slots and pool hold together, where what the pool holds varies.

Long requests fill a pool with few, short ones let more in, so now the slots bind and now the pool.
With a pool's room K lognormally distributed, the mean of min(slots, K) bends slowly where the two
are close, and raising either buys a part of it: the pool where K is below the slots, and the slots
the rest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist

NORMAL = NormalDist()


@dataclass(frozen=True)
class Room:
    """slots: sequences. kv: those that the KV pool holds in the mean, `spread` its standard
    deviation ÷ its mean. Both may be infinite."""

    slots: float
    kv: float
    spread: float = 0.0

    @property
    def _deviation(self) -> float:
        """Of ln K; 0 where nothing varies."""
        if not (math.isfinite(self.slots) and math.isfinite(self.kv)):
            return 0.0
        return math.sqrt(math.log1p(self.spread**2))

    def _parts(self) -> tuple[float, float]:
        """What the mean of min(slots, K) has from K below the slots, and from the slots."""
        deviation = self._deviation
        if not deviation:
            pool = self.slots >= self.kv and math.isfinite(self.kv)
            return (self.kv, 0.0) if pool else (0.0, self.slots)
        z = math.log(self.slots / self.kv) / deviation + deviation / 2
        return self.kv * NORMAL.cdf(z - deviation), self.slots * NORMAL.cdf(-z)

    @property
    def short(self) -> float:
        """The share of the time in which the pool is short before the slots: K below the slots."""
        deviation = self._deviation
        if not deviation:
            return float(self.slots >= self.kv and math.isfinite(self.kv))
        return NORMAL.cdf(math.log(self.slots / self.kv) / deviation + deviation / 2)

    @property
    def places(self) -> float:
        """The mean of min(slots, K)."""
        return sum(self._parts())

    @property
    def pool(self) -> float:
        """By what share of a percent the places grow per percent of the pool; slots: the rest."""
        pool, slots = self._parts()
        return pool / (pool + slots) if math.isfinite(slots) else 0.0


SELDOM = 0.01
"""A share of the time that is too small to be told from none."""


def placed(room: Room, places: float, short: float) -> Room:
    """The room with the pool that leaves so many places in the mean, as counted. short: the share
    of the time in which the pool was short before the slots: if hardly ever, then `room` itself,
    with a pool no smaller than that says."""
    if not (math.isfinite(room.slots) and math.isfinite(room.kv)):
        return room
    deviation, seldom = math.sqrt(math.log1p(room.spread**2)), NORMAL.inv_cdf(1 - SELDOM)
    ample = room.slots * math.exp(seldom * deviation + deviation**2 / 2)
    if short <= SELDOM or places >= room.slots:
        return replace(room, kv=max(room.kv, ample))
    low, high = places / 2, room.slots * math.exp(4 * deviation + deviation**2 / 2)
    while high / low > 1 + 1e-9:
        middle = math.sqrt(low * high)
        fewer = replace(room, kv=middle).places < places
        low, high = (middle, high) if fewer else (low, middle)
    return replace(room, kv=low)
