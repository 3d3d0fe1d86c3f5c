"""Sizes: by how much a fix changes something, an `Estimate` in × with its spread and its source."""

from __future__ import annotations

from collections.abc import Callable

from constraintlab.limits.estimate import Estimate

Pick = Callable[[Estimate], float]
"""How a size becomes a number: its value, or a draw from its spread."""


def size(
    value: float, low: float | None = None, high: float | None = None, source: str = "modelled"
) -> Estimate:
    """A factor in ×, known exactly unless a spread is given."""
    low, high = (value if end is None else end for end in (low, high))
    return Estimate(value, low, high, "×", source)


def point(estimate: Estimate) -> float:
    """A size at its value."""
    return estimate.value


def told(estimate: Estimate) -> str:
    """A size in words: its value, its interval where it has one, its source."""
    spread = f" ({estimate.low:.3g} … {estimate.high:.3g})" if estimate.low < estimate.high else ""
    return f"× {estimate.value:.3g}{spread}, {estimate.source}"
