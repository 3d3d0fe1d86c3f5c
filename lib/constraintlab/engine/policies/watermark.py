"""The watermark: a share of the KV pool that admissions leave free."""

from __future__ import annotations

from constraintlab.engine.kv.store import KVStore


def check_watermark(share: float) -> None:
    """Raises ValueError unless the share is from 0 up to, but not, 1."""
    if not 0 <= share < 1:
        raise ValueError(f"watermark={share}: give a share of the pool, from 0 to less than 1")


def left_free(share: float, kv: KVStore) -> int:
    """The units that an admission leaves free."""
    return int(share * kv.units)
