"""Lab 03's second half: attention's share of a layer, and the time between kernels in decode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from constraintlab.course.layer import DIM, Layer, Past, angles, few_kernels, many_kernels
from constraintlab.course.measure import Rounds, interleave
from constraintlab.course.show import Table, si
from constraintlab.limits.estimate import Estimate

TINY = DIM
"""Width of a layer whose kernels have next to nothing to do: what is left is between them."""


@dataclass(frozen=True)
class Model:
    """`layers` decoder layers with a cache each, to be stepped token by token."""

    layers: tuple[tuple[Layer, Past], ...]
    context: int

    @classmethod
    def of(
        cls, width: int, nbytes: int, *, context: int = 64, device: str = "cpu", least: int = 2
    ) -> Model:
        """As many layers of `width` as have `nbytes` of weights: the same bytes, wide or deep."""
        one = Layer.random(width, device=device)
        count = max(least, round(nbytes / one.nbytes))
        layers = [one, *(Layer.random(width, device=device, seed=i) for i in range(1, count))]
        return cls(tuple((x, Past.empty(x, context + 1, context)) for x in layers), context)

    @property
    def width(self) -> int:
        return self.layers[0][0].width

    @property
    def nbytes(self) -> int:
        return sum(layer.nbytes for layer, _ in self.layers)

    def stepper(self, forward: Callable = many_kernels) -> Callable[[], torch.Tensor]:
        """A call that decodes one token: every layer once, at the same position each time."""
        first = self.layers[0][0].out
        x = torch.ones(1, self.width, dtype=first.dtype, device=first.device)
        turns = angles(self.context, 1, x)
        attend = torch.nn.functional.scaled_dot_product_attention

        @torch.inference_mode()
        def step():
            y = x
            for layer, past in self.layers:
                y = forward(layer, y, past, turns, attend)
            return y

        return step


@dataclass(frozen=True)
class Split:
    """One model's step in seconds, and what of it lies between the kernels."""

    model: Model
    step: float
    between: float

    @property
    def share(self) -> float:
        """Of the step that is spent between kernels, at most 1."""
        return min(1.0, self.between / self.step)

    @property
    def bytes_per_s(self) -> float:
        """Weights read per second of what is left."""
        return self.model.nbytes / max(self.step - self.between, 1e-9)


def race_splits(
    models: Sequence[Model], wait: Callable, rounds: int = 9
) -> tuple[list[Split], float]:
    """(each model's split, seconds between kernels per layer).

    The time between kernels is what a layer takes whose kernels have next to nothing to do: it
    is one head wide, and all its weights fit in a core's cache. That time does not shrink with
    the work, and every layer pays it again.
    """
    device = models[0].layers[0][0].out.device.type
    tiny = Model.of(TINY, 0, device=device, least=8)
    calls = {m.width: m.stepper() for m in models} | {"tiny": tiny.stepper()}
    seen = interleave(calls, rounds=rounds, wait=wait)
    each = seen.median("tiny") / len(tiny.layers)
    return [Split(m, seen.median(m.width), each * len(m.layers)) for m in models], each


def splits_table(found: Sequence[Split], each: float) -> Table:
    rows = [
        (
            f"{len(s.model.layers)} × {s.model.width}", si(s.model.nbytes, "B"),
            f"{1e3 * s.step:.2f}", f"{1e3 * s.between:.2f}", f"{s.share:.0%}",
            si(s.bytes_per_s, "B/s"),
        )
        for s in found
    ]  # fmt: skip
    heads = (
        "layers × width",
        "weights",
        "ms a token",
        "between kernels",
        "share",
        "the rest reads",
    )
    return Table(heads, rows, f"Between kernels: {si(each, 's')} a layer, measured one head wide.")


def race_fewer_kernels(model: Model, wait: Callable, rounds: int = 9) -> tuple[float, Estimate]:
    """(predicted, measured) gain of one token's step with fewer, larger kernels.

    Predicted from a layer that is one head wide: what fewer kernels save there, every layer saves.
    """
    device = model.layers[0][0].out.device.type
    tiny = Model.of(TINY, 0, device=device, least=8)
    seen = interleave(
        {
            "many": model.stepper(),
            "few": model.stepper(few_kernels),
            "tiny, many": tiny.stepper(),
            "tiny, few": tiny.stepper(few_kernels),
        },
        rounds=rounds, wait=wait,
    )  # fmt: skip
    saved = (seen.median("tiny, many") - seen.median("tiny, few")) / len(tiny.layers)
    step = seen.median("many")
    return step / (step - len(model.layers) * saved), seen.gain("few", over="many")


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
