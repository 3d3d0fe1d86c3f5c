"""Speculative decoding as a change to a stack: a fix that can hurt.

A small model drafts `k` tokens, the large one looks at all of them in one step and keeps those
before the first that it would not have written, with one of its own (Leviathan et al. 2023). Where
weights are read once a step whatever happens, k more rows cost nothing; where arithmetic binds, or
many sequences fill a step, every drafted token costs as much as one that is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from constraintlab.limits.capacities import Capacities
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.sizes import Pick, told
from constraintlab.limits.stack import HostStage, Stack
from constraintlab.limits.work import Kernel, Work

STEP = ("dispatch", "schedule")
"""Host stages that a step costs for each sequence, however many tokens that gets."""

ROWS = ("draw", "sample")
"""And those that look at each row of logits, kept or not. Others are paid for a token."""


def expected_tokens(acceptance: float, k: int) -> float:
    """(1 − a^(k+1))/(1 − a): tokens of a step whose drafts are each accepted with probability a."""
    if acceptance == 1:
        return k + 1.0
    return (1 - acceptance ** (k + 1)) / (1 - acceptance)


@dataclass(frozen=True)
class Speculation:
    """Drafts of `k` tokens, accepted one by one with probability `acceptance` (0 to 1).

    cost: a step of the draft model ÷ a step of the target, Leviathan's c; as such a share of the
    target's work, and of what the host pays once a step, it is charged. A kernel that reads weights
    does k + 1 times each sequence's work; one that reads a sequence's cache does so once for all
    its rows. Prompts come with requests, so in fewer steps there are more in each.
    """

    k: int
    acceptance: Estimate
    cost: Estimate

    def __post_init__(self) -> None:
        if self.k < 1 or not (self.acceptance.low >= 0 and self.acceptance.high <= 1):
            raise ValueError(
                f"k={self.k}, acceptance {self.acceptance.low:g} to {self.acceptance.high:g}: "
                "draft at least one token, and give an acceptance from 0 to 1"
            )
        if not self.cost.low >= 0:
            raise ValueError(f"a draft's cost is {self.cost.low:g} of a step: give 0 or more")

    def __str__(self) -> str:
        return (
            f"drafts of {self.k} tokens, accepted {told(self.acceptance)}; "
            f"a draft costs {told(self.cost)} of a step"
        )

    def touches(self, stack: Stack) -> bool:
        return bool(stack.kernels)

    def apply(self, stack: Stack, caps: Capacities, pick: Pick) -> tuple[Stack, Capacities]:
        tokens = expected_tokens(pick(self.acceptance), self.k)
        drafted = self.k * pick(self.cost)
        usual = [k for k in stack.kernels if not k.often]
        kernels = [self._verified(k) if k in usual else _more_often(k, tokens)
                   for k in stack.kernels]  # fmt: skip
        kernels += [
            replace(k, name=f"draft: {k.name}", fixed=k.fixed * drafted, each=k.each * drafted)
            for k in usual
        ]
        host = [replace(s, each=s.each * self._paid(s.name, tokens)) for s in stack.host]
        host.append(HostStage("draft", fixed=drafted * sum(s.fixed for s in stack.host)))
        return replace(
            stack, kernels=tuple(kernels), host=tuple(host), tokens=stack.tokens * tokens
        ), caps

    def _verified(self, kernel: Kernel) -> Kernel:
        rows = self.k + 1
        if kernel.fixed.bytes:
            return replace(kernel, each=kernel.each * rows)
        once = Work(bytes=kernel.each.bytes, fresh=kernel.each.fresh)
        return replace(kernel, each=once + Work(kernel.each.flops * rows))

    def _paid(self, stage: str, tokens: float) -> float:
        return 1.0 if stage in STEP else self.k + 1.0 if stage in ROWS else tokens


def _more_often(kernel: Kernel, tokens: float) -> Kernel:
    return replace(kernel, often=kernel.often * tokens)
