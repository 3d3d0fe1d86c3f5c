"""The ablation as data: one workload, and the engine's rungs, each added to those before."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from random import Random

from constraintlab.engine.request import Request, Sampling
from constraintlab.engine.setup import Setup
from constraintlab.load.profiles import Lengths


@dataclass(frozen=True)
class Size:
    """What a device can do in minutes. prompts, answers: shortest, median and longest, in tokens;
    longest: what a contiguous store reserves; the pool holds two of those."""

    model: str
    dtype: str | None
    prompts: tuple[int, int, int]
    answers: tuple[int, int, int]
    requests: int
    slots: int
    longest: int = 4096

    def setup(self, device: str) -> Setup:
        """Before the first rung: one request at a time, a reservation each, naive prompts."""
        return Setup(
            self.model, kv="contiguous", policy="continuous", blocks=2 * self.longest // 16,
            slots=1, tokens=self.longest, max_length=self.longest, dtype=self.dtype,
            attention={"prefill": "naive"}, device=device, graphs=False,
        )  # fmt: skip

    def asked(self, limit: int | None = None, seed: int = 0) -> list[Request]:
        """The same requests each time, all there at once."""
        random = Random(seed)
        prompt, answer = (
            Lengths(((1.0, math.log(middle), spread),), low, high)
            for (low, middle, high), spread in ((self.prompts, 0.15), (self.answers, 0.5))
        )
        return [
            Request(i, [random.randrange(1, 100) for _ in range(prompt.draw(random))],
                    Sampling(answer.draw(random)))
            for i in range(limit or self.requests)
        ]  # fmt: skip


SIZES = {
    "cpu": Size("slim", None, (500, 700, 900), (16, 48, 128), 16, 16),
    # No prompt is longer than what the fused rung has room for on chip: 1,024 keys in bf16.
    "cuda": Size("medium", "bfloat16", (640, 800, 960), (8, 32, 128), 48, 32, 8192),
}


@dataclass(frozen=True)
class Rung:
    """What is switched on. change: fields of `Setup`; prefill: the prompts' attention, if it is
    another from here on; gpu: it does something on a GPU alone."""

    name: str
    about: str
    change: Mapping[str, object] = field(default_factory=dict)
    prefill: str = ""
    gpu: bool = False

    def on(self, setup: Setup, size: Size) -> Setup:
        """The setup with this rung."""
        change = {"slots": size.slots} if self.name == "batching" else dict(self.change)
        if self.prefill:
            change["attention"] = {"prefill": self.prefill}
        return replace(setup, **change)


RUNGS = (
    Rung("naive", "prompts by naive attention, one request at a time, a reservation each"),
    Rung("fused", "prompts by the fused rung", prefill="fused"),
    Rung("flash", "prompts by the flash rung", prefill="flash"),
    Rung("batching", "as many requests at a time as there is room for"),
    Rung("paged", "block tables instead of reservations", {"kv": "paged"}),
    Rung("ragged", "all prompts of a step in one kernel that reads block tables", prefill="auto"),
    Rung("graphs", "decode steps as CUDA graphs", {"graphs": True}, gpu=True),
)
"""In order; each is added to those before."""


def setups(size: Size, device: str) -> Iterator[tuple[Rung, Setup]]:
    """Every rung with its setup."""
    setup = size.setup(device)
    for rung in RUNGS:
        setup = rung.on(setup, size)
        yield rung, setup
