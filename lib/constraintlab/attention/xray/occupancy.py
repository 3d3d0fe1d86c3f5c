"""Theoretical occupancy: how many programs fit on one multiprocessor, and what keeps more out.

Limits per compute capability: CUDA C++ Programming Guide, "Technical Specifications per
Compute Capability"; allocation units: NVIDIA's occupancy calculator.
"""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024


@dataclass(frozen=True)
class Chip:
    """One multiprocessor: warps, programs (thread blocks), registers, bytes of shared memory."""

    name: str
    warps: int
    blocks: int
    registers: int
    shared: int
    shared_per_block: int


CHIPS = {
    80: Chip("A100", 64, 32, 65536, 164 * KIB, 163 * KIB),
    86: Chip("RTX 30", 48, 16, 65536, 100 * KIB, 99 * KIB),
    89: Chip("L4, L40, RTX 40", 48, 24, 65536, 100 * KIB, 99 * KIB),
    90: Chip("H100", 64, 32, 65536, 228 * KIB, 227 * KIB),
    100: Chip("B200", 64, 32, 65536, 228 * KIB, 227 * KIB),
}
RESERVED = KIB
"""Bytes of shared memory that the system takes for each program."""
REGISTER_UNIT, SHARED_UNIT, WARP_UNIT = 256, 128, 4
"""Registers are handed to a warp by 256, shared memory by 128 bytes, a program's warps by 4."""


@dataclass(frozen=True)
class Occupancy:
    """Programs and warps resident on one multiprocessor, and what limits them."""

    blocks: int
    warps: int
    share: float
    limited_by: str


def _up(n: int, unit: int) -> int:
    return -(-n // unit) * unit


def occupancy(chip: Chip, registers: int, shared: int, warps: int) -> Occupancy:
    """Of a kernel with `registers` a thread, `shared` bytes and `warps` a program.

    Zero programs when shared memory doesn't fit at all.
    """
    if shared > chip.shared_per_block:
        return Occupancy(0, 0, 0.0, "shared memory")
    a_warp = _up(registers * 32, REGISTER_UNIT)
    by = {
        "registers": chip.registers // a_warp // WARP_UNIT * WARP_UNIT // warps,
        "shared memory": chip.shared // _up(shared + RESERVED, SHARED_UNIT),
        "warps": chip.warps // warps,
        "programs": chip.blocks,
    }
    limit = min(by, key=by.get)
    blocks = by[limit]
    return Occupancy(blocks, blocks * warps, blocks * warps / chip.warps, limit)
