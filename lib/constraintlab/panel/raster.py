"""A KV map as pixels: the same rules as `src/kvmap.js`, pixel for pixel, for the still picture.

A block is a square, filled from the left as its tokens are. What is reserved and empty is
hatched, what is free is an outline. Blocks of one request that lie side by side are joined;
between two requests the ground shows. Squares below 12 px have faint outlines, those below 6 px
no outlines and no gaps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from constraintlab.panel.kvmap import SHARED, KVMap

LARGEST = 26
"""Side of a block's square, in pixels at scale 1."""

HEIGHT = 190
"""Of a map, at most, at scale 1; below 1 px a block there is no way but to be taller."""

DENSE, WIDE = 6, 12
"""Squares below the first have no gap, from the second on one of two pixels."""


@dataclass(frozen=True)
class Grid:
    """Squares of `cell` pixels in rows of `columns`, the last of each `gap` wide left empty."""

    cell: int
    columns: int
    rows: int
    gap: int
    line: int

    @property
    def width(self) -> int:
        """Pixels."""
        return self.columns * self.cell

    @property
    def height(self) -> int:
        """Pixels."""
        return self.rows * self.cell


def grid(blocks: int, width: int, scale: float = 1.0) -> Grid:
    """The largest squares with which `blocks` fit into `width` pixels and the height of a map."""
    line = max(1, int(scale + 0.5))
    height = int(HEIGHT * scale)
    for cell in range(int(LARGEST * scale), 0, -1):
        columns = max(1, width // cell)
        rows = -(-blocks // columns)
        if rows * cell <= height or cell == 1:
            break
    gap = 0 if cell < DENSE * scale else line if cell < WIDE * scale else 2 * line
    return Grid(cell, -(-blocks // rows), rows, gap, line)


def pixels(m: KVMap, g: Grid, inks: dict) -> np.ndarray:
    """[height, width, 3] of uint8. inks: `palette.inks` of a theme."""
    y, x = np.ogrid[: g.height, : g.width]
    place = (y // g.cell) * g.columns + x // g.cell
    inside = place < m.blocks
    block = np.minimum(place, m.blocks - 1)
    box = g.cell - g.gap
    owners, filled = m.owners.astype(np.int64), m.filled.astype(np.int64)
    same = np.append((owners[1:] == owners[:-1]) & (owners[1:] > 0) & (owners[1:] < SHARED), False)
    same[g.columns - 1 :: g.columns] = False
    before = np.roll(same, 1)
    before[0] = False
    full = _columns(filled, box, m.block_size)
    u, v = x % g.cell, y % g.cell
    owner, solid = owners[block], full[block]
    colours, tone = _palette(inks, owner)

    held, in_box = inside & (owner > 0), (u < box) & (v < box)
    ends = (v < g.line) | (v >= box - g.line)
    period = 4 * g.line if g.gap else 3 * g.line
    hatch = (x + y) % period < g.line
    out = np.zeros(place.shape, np.intp)

    stored = held & in_box & (u < solid)
    empty = held & in_box & ~stored
    out[empty & hatch] = 2
    if g.gap:
        rim = 1 if g.gap > g.line else 2
        sides = ((u < g.line) & ~before[block]) | ((u >= box - g.line) & ~same[block])
        out[empty & (ends | sides)] = rim
        bridge = held & (u >= box) & (v < box) & same[block]
        out[bridge & ends] = rim
        out[bridge & (solid == box) & np.append(filled[1:] > 0, False)[block]] = 2
        edges = ends | (u < g.line) | (u >= box - g.line)
        out[inside & (owner == 0) & in_box & edges] = 3
    out[stored] = 1
    if g.gap:
        third = box // 3
        eye = (u >= third) & (u < box - third) & (v >= third) & (v < box - third)
        out[stored & eye & (owner == SHARED)] = 0
    return colours[tone, out]


def _columns(filled: np.ndarray, box: int, size: int) -> np.ndarray:
    """Solid pixel columns of each block: none only if it is empty, all only if it is full."""
    rounded = (2 * filled * box + size) // (2 * size)
    if box == 1:
        return rounded
    return np.where((filled > 0) & (filled < size), np.clip(rounded, 1, box - 1), rounded)


def _palette(inks: dict, owner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(colours [tone, what, 3], tone of each pixel); what: ground, solid, faint, outline."""
    tones = [*zip(inks["tones"], inks["faint"], strict=True), (inks["text"], inks["quiet"])]
    table = [[rgb(inks["ground"]), rgb(solid), rgb(faint), rgb(inks["line"])]
             for solid, faint in tones]  # fmt: skip
    return np.array(table, np.uint8), np.where(owner == SHARED, len(tones) - 1, owner % 3)


def rgb(colour: str) -> tuple[int, int, int]:
    """`#rrggbb` as three bytes."""
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))
