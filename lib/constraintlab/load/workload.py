"""`Workload`: what is asked and when, as plain data that every process can draw alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from constraintlab.load.arrivals import Arrivals
from constraintlab.load.ask import Ask
from constraintlab.load.text import Text


class Source(Protocol):
    """Where lengths or questions come from: a profile, a trace, the reasoner's task."""

    def draws(self, random: Random) -> Iterator[Any]:
        """One for each request, in order: quick, for every process draws all of them."""

    def ask(self, draw: Any, index: int, at: float, text: Text, random: Random) -> Ask:
        """The request of a draw; only the process that sends it makes its text."""


@dataclass(frozen=True)
class Sizes:
    """Tokens of a request. blocks: numbers of the prompt's blocks of `block` tokens each, equal
    where prompts share them; empty where nothing is shared."""

    prompt: int
    output: int
    blocks: tuple[int, ...] = ()
    block: int = 0

    def scaled(self, k: float, cap: int | None) -> Sizes:
        """All lengths ÷ k, at least 1. cap: of prompt and output together; a prompt that takes
        more than half of it is cut to half, then the output to what is left."""
        prompt, output = (max(1, round(n / k)) for n in (self.prompt, self.output))
        if cap is not None and prompt + output > cap:
            prompt = min(prompt, max(1, cap // 2)) if prompt + output > cap else prompt
            output = min(output, cap - prompt)
        return Sizes(prompt, output, self.blocks, max(1, round(self.block / k)))


@dataclass(frozen=True)
class Workload:
    """arrivals and source draw from their own generators, both seeded: changing one leaves the
    other as it was. duration: seconds of the schedule; limit: requests at most; give either.
    """

    arrivals: Arrivals
    source: Source
    duration: float | None = None
    limit: int | None = None
    seed: int = 0
    text: Text = field(default_factory=Text)

    def __post_init__(self) -> None:
        if self.duration is None and self.limit is None:
            raise ValueError("a workload needs an end: give duration= in seconds or limit=")
        if self.duration is not None and not self.duration > 0:
            raise ValueError(f"duration={self.duration}: give seconds above 0")
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit={self.limit}: give 1 request or more")

    def asks(self, part: int = 0, of: int = 1) -> Iterator[Ask]:
        """Every `of`-th request from `part` on: together the parts are the whole."""
        times = self.arrivals.times(Random(f"{self.seed} arrivals"))
        draws = self.source.draws(Random(f"{self.seed} lengths"))
        for index, (at, draw) in enumerate(zip(times, draws, strict=False)):
            if self.duration is not None and at >= self.duration:
                return
            if self.limit is not None and index >= self.limit:
                return
            if index % of == part:
                own = Random(f"{self.seed} text {index}")
                yield self.source.ask(draw, index, at, self.text, own)
