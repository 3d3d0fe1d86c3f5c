"""Theoretical occupancy: how many programs fit on one multiprocessor, and what keeps more out.

Limits per compute capability: CUDA C++ Programming Guide, "Technical Specifications per
Compute Capability"; allocation units: NVIDIA's occupancy calculator. Tensor memory: PTX ISA,
"Tensor Memory"; it is handed out when a program asks, as the first thing that it does.
"""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024


@dataclass(frozen=True)
class Chip:
    """One multiprocessor: warps, programs (thread blocks), registers, bytes of shared memory.

    columns: of tensor memory, into which Blackwell's tensor cores add; none before it.
    """

    name: str
    warps: int
    blocks: int
    registers: int
    shared: int
    shared_per_block: int
    columns: int = 0


CHIPS = {
    80: Chip("A100", 64, 32, 65536, 164 * KIB, 163 * KIB),
    86: Chip("RTX 30", 48, 16, 65536, 100 * KIB, 99 * KIB),
    89: Chip("L4, L40, RTX 40", 48, 24, 65536, 100 * KIB, 99 * KIB),
    90: Chip("H100", 64, 32, 65536, 228 * KIB, 227 * KIB),
    100: Chip("B200", 64, 32, 65536, 228 * KIB, 227 * KIB, columns=512),
}
RESERVED = KIB
"""Bytes of shared memory that the system takes for each program."""
REGISTER_UNIT, SHARED_UNIT, WARP_UNIT = 256, 128, 4
"""Registers are handed to a warp by 256, shared memory by 128 bytes, a program's warps by 4."""


@dataclass(frozen=True)
class Occupancy:
    """Programs and warps at work on one multiprocessor at once, and what limits them."""

    blocks: int
    warps: int
    share: float
    limited_by: str


def _up(n: int, unit: int) -> int:
    return -(-n // unit) * unit


def occupancy(chip: Chip, registers: int, shared: int, warps: int, columns: int = 0) -> Occupancy:
    """Of a kernel with `registers` a thread; `shared` bytes, `warps` and `columns` a program.

    Zero programs when shared or tensor memory doesn't fit at all. A program that finds no columns
    free is resident all the same, but waits (PTX ISA, tcgen05.alloc): here it doesn't count.
    """
    for what, asked, most in (
        ("shared memory", shared, chip.shared_per_block),
        ("tensor memory", columns, chip.columns),
    ):
        if asked > most:
            return Occupancy(0, 0, 0.0, what)
    a_warp = _up(registers * 32, REGISTER_UNIT)
    by = {
        "registers": chip.registers // a_warp // WARP_UNIT * WARP_UNIT // warps,
        "shared memory": chip.shared // _up(shared + RESERVED, SHARED_UNIT),
        "warps": chip.warps // warps,
        "programs": chip.blocks,
    }
    if columns:
        by["tensor memory"] = chip.columns // columns
    limit = min(by, key=by.get)
    blocks = by[limit]
    return Occupancy(blocks, blocks * warps, blocks * warps / chip.warps, limit)
