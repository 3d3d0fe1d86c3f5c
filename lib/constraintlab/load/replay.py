"""A trace as a workload: its lengths in its order, and what its prompts share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

from constraintlab.load import traces
from constraintlab.load.arrivals import Replay
from constraintlab.load.ask import Ask
from constraintlab.load.text import Text
from constraintlab.load.workload import Sizes

ROUNDED = 3.0
"""Seconds: Mooncake's moments are multiples of it."""

READERS: Mapping[str, Callable[[], Sequence[traces.Asked]]] = {
    "azure-conv": partial(traces.azure, traces.CONVERSATION),
    "azure-code": partial(traces.azure, traces.CODE),
    "mooncake": traces.mooncake,
}


@dataclass(frozen=True)
class Replayed:
    """scale, cap: as `Sizes.scaled` has them."""

    sizes: tuple[Sizes, ...]
    scale: float = 1.0
    cap: int | None = None

    def draws(self, random: Random) -> Iterator[Sizes]:
        """As many as the trace has."""
        return (size.scaled(self.scale, self.cap) for size in self.sizes)

    def ask(self, draw: Sizes, index: int, at: float, text: Text, random: Random) -> Ask:
        """Words that mean nothing; the answer is as long as the trace's."""
        if draw.blocks:
            prompt = text.shared(draw.prompt, draw.blocks, draw.block, random)
        else:
            prompt = text.make(draw.prompt, random)
        return Ask(index, at, prompt, draw.output, draw.prompt, exact=True)


def read(name: str) -> Sequence[traces.Asked]:
    """A trace by its short name. ValueError for another name, NoTraces where it is not."""
    if name not in READERS:
        raise ValueError(f"no trace {name!r}: use {', '.join(READERS)}")
    return READERS[name]()


def source(name: str, scale: float = 1.0, cap: int | None = None) -> Replayed:
    """A trace's lengths; a length of 0 counts as 1."""
    block = traces.BLOCK
    found = [Sizes(max(1, a.prompt), max(1, a.output), a.blocks, block) for a in read(name)]
    return Replayed(tuple(found), scale, cap)


def arrivals(name: str, rate: float | None = None) -> Replay:
    """A trace's moments, at its own rate unless one is given."""
    spread = ROUNDED if name == "mooncake" else 0.0
    return Replay(tuple(a.at for a in read(name)), rate, spread)
