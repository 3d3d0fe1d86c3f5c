"""Lab 03's first half: fused against flash as the prompt grows, and tiles of every size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from constraintlab.attention import flash, flash_cpu, fused, fused_cpu
from constraintlab.attention.cpu_blocks import Cut
from constraintlab.attention.rung import Shape
from constraintlab.course.measure import interleave
from constraintlab.course.show import Table, si


@dataclass(frozen=True)
class Length:
    """One prompt length: queries that fit on chip with whole rows, and ns per score by rung."""

    tokens: int
    rows: int
    fused: float
    own: float
    flash: float


def race_lengths(shape: Shape, tokens: Sequence[int], wait: Callable[[], object]) -> list[Length]:
    """Fused, our flash and the default flash at each length; nanoseconds per score that counts."""
    found = []
    for s in tokens:
        at = shape.at(s)
        q, k, v = at.inputs()
        calls = {
            "fused": partial(fused.attend, q, k, v),
            "own": partial(flash.attend, q, k, v, backend="own"),
            "flash": partial(flash.attend, q, k, v),
        }
        rounds = interleave(calls, rounds=15, budget=1.5, wait=wait)
        each = {name: 1e9 * min(rounds.seconds[name]) / at.useful_scores for name in calls}
        rows = fused_cpu.block_of(s, at.dtype.itemsize)
        found.append(Length(s, rows, **each))
    return found


def lengths_table(found: Sequence[Length], backend: str) -> Table:
    rows = [
        (
            f"S = {x.tokens}", x.rows, flash_cpu.BLOCK,
            *(f"{t:.2f}" for t in (x.fused, x.own, x.flash)),
        )
        for x in found
    ]  # fmt: skip
    heads = (
        "prompt", "queries on chip, fused", "flash",
        "ns per score: fused", "own flash", f"flash ({backend})",
    )  # fmt: skip
    return Table(heads, rows, "Queries on chip: of our CPU versions. Time: the best of up to 15.")


def held(found: Sequence[Length], slower: bool) -> str:
    """What whole rows cost from the shortest prompt to the longest. slower: fused, for a score."""
    first, last = found[0], found[-1]
    flash_holds = f"; flash holds {flash_cpu.BLOCK} at any length."
    if last.rows < first.rows:
        cost = (
            ", and has to read all keys again for each block of so few" if slower
            else f" instead of {first.rows}, which costs no time that is seen here"
        )  # fmt: skip
        return f"Fused holds {last.rows} queries at S = {last.tokens}{cost}{flash_holds}"
    why = " What made it slower is not that." if slower else ""
    return (
        f"Fused still holds {last.rows} queries at S = {last.tokens}, as at S = {first.tokens}: "
        f"longer rows would leave room for fewer{flash_holds}{why}"
    )


@dataclass(frozen=True)
class Tile:
    """One size of tile: its bytes of scores, milliseconds of one call, scores computed in vain."""

    block: int
    tile: int
    nbytes: int
    ms: float
    vain: float


def try_tiles(shape: Shape, sizes: Sequence[tuple[int, int]], rounds: int = 5) -> list[Tile]:
    """Our CPU flash with each (queries, keys) of a tile, interleaved; the best of `rounds`."""
    q, k, v = (t.cpu() for t in shape.inputs())
    calls = {
        size: partial(flash_cpu.attend, q, k, v, block=size[0], tile=size[1]) for size in sizes
    }
    seen = interleave(calls, rounds=rounds)
    heads = min(flash_cpu.HEADS, shape.batch * shape.heads)
    useful = shape.useful_scores / shape.heads / shape.batch
    return [
        Tile(
            block, tile, heads * block * tile * 4, 1e3 * min(seen.seconds[block, tile]),
            Cut(block).scores(shape.queries, shape.keys, shape.causal) / useful - 1,
        )
        for block, tile in sizes
    ]  # fmt: skip


def tiles_table(found: Sequence[Tile]) -> Table:
    rows = [
        (f"{t.block} × {t.tile}", si(t.nbytes, "B"), f"{t.vain:.0%}", f"{t.ms:.1f}") for t in found
    ]
    return Table(("queries × keys", "scores of a tile", "scores in vain", "ms"), rows)
