"""Host: what one dispatched operation costs before any work is done."""

from __future__ import annotations

from constraintlab.limits.estimate import Estimate
from constraintlab.limits.probes.timing import repeat


def operation(budget: float = 0.15) -> Estimate:
    """Seconds of host time to dispatch one torch operation on a tensor of one element."""
    import torch

    x = torch.ones(1)

    def hundred():
        for _ in range(100):
            x.add_(1.0)

    return Estimate.of([s / 100 for s in repeat(hundred, budget=budget)], "s")
