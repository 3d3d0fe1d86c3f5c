"""Lab 03: a whole decoder layer over a prompt, and attention's share of its time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from constraintlab.course.layer import DIM, Layer, Past, angles, few_kernels, many_kernels
from constraintlab.course.measure import Rounds, interleave
from constraintlab.course.show import Table


@dataclass(frozen=True)
class Prefill:
    """A layer over a whole prompt, with one rung for its attention: seconds of both."""

    rung: str
    layer: float
    attention: float

    @property
    def share(self) -> float:
        return min(1.0, self.attention / self.layer)


def race_prefill(
    layer: Layer, tokens: int, rungs: dict[str, Callable], wait: Callable, rounds: int = 5
) -> tuple[list[Prefill], Rounds]:
    """(the layer with each rung's attention, all rounds; `NAME, fewer kernels` is among them)."""
    past = Past.empty(layer, tokens)
    x = torch.randn(tokens, layer.width, generator=torch.Generator().manual_seed(0)).to(layer.out)
    turns = angles(0, tokens, x)
    q, k, v = (t.normal_(std=0.1) for t in torch.empty(3, 1, layer.width // DIM, tokens, DIM).to(x))

    def whole(forward, attend):
        with torch.inference_mode():
            return forward(layer, x, past, turns, attend)

    calls = {}
    for name, attend in rungs.items():
        calls[name] = partial(whole, many_kernels, attend)
        calls[f"{name}, fewer kernels"] = partial(whole, few_kernels, attend)
        calls[f"{name} alone"] = partial(attend, q, k, v)
    seen = interleave(calls, rounds=rounds, wait=wait)
    # The best of the rounds: a share of two medians swings when a neighbour takes a core.
    best = {name: min(seconds) for name, seconds in seen.seconds.items()}
    return [Prefill(n, best[n], best[f"{n} alone"]) for n in rungs], seen


def prefill_table(found: Sequence[Prefill]) -> Table:
    rows = [
        (p.rung, f"{1e3 * p.layer:.1f}", f"{1e3 * p.attention:.1f}", f"{p.share:.0%}")
        for p in found
    ]
    return Table(("attention by", "layer, ms", "attention alone, ms", "share"), rows)
