"""Named profiles of lengths: fitted to published traces, small enough to ship, and what they miss.

Lengths of prompt and answer are drawn independently; each file says what their rank correlation
was in the trace.
"""

from __future__ import annotations

import json
import math
from bisect import bisect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from random import Random

from constraintlab.load.ask import Ask
from constraintlab.load.text import Text
from constraintlab.load.workload import Sizes

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Lengths:
    """A mixture of lognormal distributions, rounded, with draws outside low…high drawn again.

    parts: (weight, mean, deviation) of the logarithm. error: how far it is from the trace.
    """

    parts: tuple[tuple[float, float, float], ...]
    low: int = 1
    high: int = 1 << 20
    error: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.parts or any(w <= 0 or s < 0 for w, _, s in self.parts):
            raise ValueError("lengths need parts (weight above 0, mean, deviation 0 or more)")
        low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
        if not any(low - 8 * s < m < high + 8 * s for _, m, s in self.parts):
            raise ValueError(f"none of its parts reaches {self.low} to {self.high} tokens")

    @classmethod
    def exactly(cls, n: int) -> Lengths:
        """Always n."""
        return cls(((1.0, math.log(n), 0.0),), n, n)

    def draw(self, random: Random) -> int:
        """Tokens."""
        upto = list(accumulate(w for w, _, _ in self.parts))
        while True:
            _, mean, deviation = self.parts[bisect(upto, random.random() * upto[-1])]
            found = round(math.exp(random.gauss(mean, deviation)))
            if self.low <= found <= self.high:
                return found


@dataclass(frozen=True)
class Profile:
    """scale: lengths are divided by it; cap: of prompt and answer together, as `Sizes.scaled`."""

    name: str
    prompt: Lengths
    output: Lengths
    about: str = ""
    source: str = ""
    scale: float = 1.0
    cap: int | None = None

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"scale={self.scale}: give a number above 0 to divide lengths by")
        if self.cap is not None and self.cap < 2:
            raise ValueError(f"cap={self.cap}: give 2 tokens or more, for prompt and answer")

    def draws(self, random: Random) -> Iterator[Sizes]:
        """Endless."""
        while True:
            drawn = Sizes(self.prompt.draw(random), self.output.draw(random))
            yield drawn.scaled(self.scale, self.cap)

    def ask(self, draw: Sizes, index: int, at: float, text: Text, random: Random) -> Ask:
        """Words that mean nothing; the answer is as long as drawn, whatever the model wants."""
        prompt = text.make(draw.prompt, random)
        return Ask(index, at, prompt, draw.output, draw.prompt, exact=True)


def folder(root: Path = ROOT) -> Path:
    """`data/profiles` of the clone; ValueError where it is not."""
    found = root / "data" / "profiles"
    if not found.is_dir():
        raise ValueError(f"no profiles in {found}: install constraintlab from a clone "
                         "(`pip install -e .`)")  # fmt: skip
    return found


def names() -> list[str]:
    """Of the profiles that are shipped."""
    return sorted(path.stem for path in folder().glob("*.json"))


def load(name: str, scale: float = 1.0, cap: int | None = None) -> Profile:
    """A shipped profile; ValueError that lists them for another name."""
    if name not in names():
        raise ValueError(f"no profile {name!r}: use {', '.join(names())}")
    said = json.loads((folder() / f"{name}.json").read_text("utf-8"))

    def lengths(part: dict) -> Lengths:
        parts = tuple(tuple(p) for p in part["parts"])
        return Lengths(parts, part["low"], part["high"], part.get("error", {}))

    return Profile(
        name, lengths(said["prompt"]), lengths(said["output"]),
        said["about"], said["source"], scale, cap,
    )  # fmt: skip
