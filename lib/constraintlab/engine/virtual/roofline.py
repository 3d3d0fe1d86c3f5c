"""`Roofline`: the seconds of a step from what it computes and moves, kernel by kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property

from constraintlab.engine.virtual.cost import StepCost


@dataclass(frozen=True)
class Roofline:
    """A step's cost by resource: within a kernel arithmetic and memory traffic overlap, so the
    longer counts; kernels and the host's stages follow one another, so they add.

    compute: FLOP/s. bandwidth: bytes/s. weights: bytes that a step's products read, however many
    tokens share them. flops: FLOPs of a token in them. kv: bytes of a token of KV. look: FLOPs of
    a token that looks back at one. schedule: host seconds of a step; sample: of each sequence in
    it. Takes the place of a `StepCost`. Raises ValueError for what can't be.
    """

    compute: float
    bandwidth: float
    weights: float
    flops: float
    kv: float
    look: float = 0.0
    schedule: float = 0.0
    sample: float = 0.0

    def __post_init__(self) -> None:
        for name in ("compute", "bandwidth"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}={getattr(self, name)}: give a rate above 0")
        for name in [f.name for f in fields(self)][2:]:
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name}={getattr(self, name)}: give 0 or more")
        if not self.weights + self.flops:
            raise ValueError("a step that costs nothing never ends: give weights or flops above 0")

    @cached_property
    def key(self) -> float:
        """Seconds of a token of KV that a decode reads."""
        return max(self.look / self.compute, self.kv / self.bandwidth)

    def products(self, tokens: int) -> float:
        """Seconds of the matrix products of so many tokens."""
        return max(self.flops * tokens / self.compute, self.weights / self.bandwidth)

    def step(self, decodes: int, keys: int, chunks: Sequence[tuple[int, int]] = ()) -> float:
        """See `StepCost.step`. All prompts of a step are one kernel of attention."""
        tokens, looks, read = decodes, 0.0, 0
        for n, past in chunks:
            tokens += n
            looks += n * past + n * (n + 1) / 2
            read += past + n
        spent = self.schedule + self.sample * (decodes + len(chunks)) + self.products(tokens)
        spent += self.key * keys
        if chunks:
            spent += max(self.look * looks / self.compute, self.kv * read / self.bandwidth)
        return spent

    def decoding(self, decodes: int) -> StepCost:
        """Steps in which so many decode and nothing else: their cost is linear in the KV read."""
        fixed = self.schedule + self.sample * decodes + self.products(decodes)
        return StepCost(fixed, key=self.key)

    def steps(self, n: int, decodes: int, keys: int) -> float:
        """See `StepCost.steps`."""
        first = self.step(decodes, keys)
        return n * first + self.key * decodes * n * (n - 1) / 2

    def within(self, seconds: float, limit: int, decodes: int, keys: int) -> int:
        """See `StepCost.within`."""
        one = self.decoding(decodes)
        # StepCost counts the growth of KV by the sequences that decode.
        return one.within(seconds, limit, decodes, keys)
