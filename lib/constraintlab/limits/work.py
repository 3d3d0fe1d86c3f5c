"""Counted work: what an algorithm must do, whatever machine does it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Work:
    """FLOPs and bytes that an algorithm asks for.

    `bytes` is the traffic with memory that the algorithm can't avoid: each operand read once
    and each result written once per pass. `fresh` is how much newly allocated memory it
    touches for the first time, which a CPU pays for in page faults.
    """

    flops: float = 0.0
    bytes: float = 0.0
    fresh: float = 0.0

    def __post_init__(self) -> None:
        if min(self.flops, self.bytes, self.fresh) < 0:
            raise ValueError(f"work can't be negative: {self}")

    def __add__(self, other: Work) -> Work:
        return Work(self.flops + other.flops, self.bytes + other.bytes, self.fresh + other.fresh)

    def __mul__(self, times: float) -> Work:
        return Work(self.flops * times, self.bytes * times, self.fresh * times)

    __rmul__ = __mul__

    @property
    def intensity(self) -> float:
        """Arithmetic intensity in FLOP per byte (infinite when no byte moves)."""
        return self.flops / self.bytes if self.bytes else float("inf")


@dataclass(frozen=True)
class Kernel:
    """One kernel of a step: `fixed` work however many sequences share it, `each` per sequence.

    `unit` names the compute capacity that its operations are counted in: a matrix-product
    dtype (`float32`, `bfloat16`, …) or `exp`, exponentials per second, for softmax passes.

    Some steps do more: with n sequences a share of `often` · n has this kernel's `fixed` work added
    to that of the kernel called `onto`, and is as long as both together. So it is with prompts,
    which sequences bring. Where that would be more than all steps, prompts meet in one step, which
    then has as many times the work.

    again: the share of this, 0 to 1, that a short KV pool has computed a second time, see
    `recompute.py`.
    """

    name: str
    each: Work = Work()
    fixed: Work = Work()
    unit: str = "float32"
    often: float = 0.0
    onto: str = ""
    again: float = 0.0

    def __post_init__(self) -> None:
        if bool(self.often) != bool(self.onto) or (self.onto and self.each != Work()):
            raise ValueError(
                f"{self.name}: a kernel of some steps has often=, onto= and fixed= work, and none "
                "of each sequence: that is the other kernel's"
            )
        if not 0 <= self.again <= 1 or (self.again and not self.often and self.fixed != Work()):
            raise ValueError(
                f"{self.name}: again={self.again}: give a share from 0 to 1, of work of each "
                "sequence or of a kernel of some steps: what all sequences share is done once"
            )

    def work(self, n: float) -> Work:
        """The work of one step with n resident sequences."""
        return self.fixed + self.each * n
