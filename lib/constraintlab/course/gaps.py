"""Lab 03's second half: the time between kernels in decode, and what two fixes make of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from constraintlab.course import story
from constraintlab.course.layer import DIM, Layer, Past, angles, few_kernels, many_kernels
from constraintlab.course.measure import interleave
from constraintlab.course.show import Table, si
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.changes import Demand
from constraintlab.limits.diagnose import diagnose
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.fixes import Fix
from constraintlab.limits.sizes import size
from constraintlab.limits.stack import HostStage, Stack
from constraintlab.limits.verdict import Verdict
from constraintlab.limits.work import Kernel, Work

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

    def to(self, dtype: torch.dtype) -> Model:
        """The same layers with weights and caches of another dtype."""
        return Model(
            tuple(
                (layer.to(dtype), Past(past.k.to(dtype), past.v.to(dtype), past.length))
                for layer, past in self.layers
            ),
            self.context,
        )

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
    def verdict(self) -> Verdict:
        """What binds: the host between kernels, or reading the weights in the rest."""
        return two_parts(self.model.nbytes, self.step, self.between)

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


def in_decode(thin: Split, wide: Split) -> str:
    """What binds a token's step in the thinnest model and in the widest, as a sentence."""
    first, last = (story.binds(s.verdict.constraint) for s in (thin, wide))
    if first == last:
        return f"In decode, {first}, whether layers are thin or wide."
    return f"In decode, {first} while layers are thin, and {last} where they are wide."


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


BETWEEN, WEIGHTS = "between kernels", "weights"


def two_parts(nbytes: float, step: float, between: float) -> Verdict:
    """On a step of `step` seconds: `between` of them between kernels, in the rest `nbytes` are read
    at whatever rate that is, as if reading weights were all that kernels do."""
    between = min(between, step)
    rate = nbytes / max(step - between, 1e-9)
    stack = Stack(
        (Kernel(WEIGHTS, fixed=Work(bytes=nbytes)),), (HostStage(BETWEEN, fixed=between),)
    )
    none = Estimate.absent("B/s", "the step's own rate is all there is")
    return diagnose(stack, Capacities({}, Estimate(rate, rate, rate, "B/s", "counted"), none))


def race_tiny(device: str, wait: Callable, rounds: int = 9) -> Estimate:
    """Which part of the time between kernels is left with fewer, larger ones, with quartiles: what
    is left of a layer that is one head wide."""
    tiny = Model.of(TINY, 0, device=device, least=8)
    seen = interleave(
        {"many": tiny.stepper(), "few": tiny.stepper(few_kernels)}, rounds=rounds, wait=wait
    )
    return seen.gain("many", over="few")


def fewer_kernels(left: Estimate, where: str) -> Fix:
    """left: what `race_tiny` found; every layer saves as much."""
    return Fix(f"fewer kernels, {where}", (Demand("seconds", (BETWEEN,), left),))


def half_bytes(where: str) -> Fix:
    """Weights in bf16 instead of fp32."""
    return Fix(f"half the bytes, {where}", (Demand("bytes", (WEIGHTS,), size(0.5)),))


def race_fewer_kernels(model: Model, wait: Callable, rounds: int = 9) -> Estimate:
    """Gain of one token's step with fewer, larger kernels, with quartiles."""
    calls = {"many": model.stepper(), "few": model.stepper(few_kernels)}
    return interleave(calls, rounds=rounds, wait=wait).gain("few", over="many")


def race_half_bytes(model: Model, wait: Callable, rounds: int = 9) -> Estimate:
    """Gain of one token's step from weights of half the bytes, in bf16, with quartiles."""
    calls = {"whole": model.stepper(), "half": model.to(torch.bfloat16).stepper()}
    return interleave(calls, rounds=rounds, wait=wait).gain("half", over="whole")
