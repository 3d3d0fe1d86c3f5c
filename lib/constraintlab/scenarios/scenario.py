"""`Scenario`: a serving stack and its load, as plain data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Lengths:
    """Tokens of prompts or answers. kind: `fixed`, `uniform` (half of the mean to one and a half),
    `lognormal` (sigma 0.5, cut at three means) or `two` (three in four at 0.6 of the mean, the
    others at 2.2). Raises ValueError for another kind or a mean below 2.
    """

    kind: str
    mean: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS or not self.mean >= 2:
            raise ValueError(f"{self}: use {', '.join(KINDS)} with a mean of 2 or more")

    def draws(self, random: Random) -> Iterator[int]:
        """One after the other, without end."""
        while True:
            yield max(1, round(self.mean * KINDS[self.kind](random)))

    @property
    def most(self) -> int:
        """The longest that may be drawn."""
        return round(self.mean * MOST[self.kind])


KINDS = {
    "fixed": lambda random: 1.0,
    "uniform": lambda random: random.uniform(0.5, 1.5),
    "lognormal": lambda random: min(3.0, random.lognormvariate(-0.12, 0.5)),
    "two": lambda random: 0.6 if random.random() < 0.75 else 2.2,
}


MOST = {"fixed": 1.0, "uniform": 1.5, "lognormal": 3.0, "two": 2.2}


@dataclass(frozen=True)
class Scenario:
    """compute, bandwidth, weights, flops, kv, look, schedule, sample: see `Roofline`.

    prompt, answer: their lengths. slots, tokens: a step's budget. blocks, block_size: the KV pool.
    policy, watermark: `chunked` or `continuous`. frame: core-seconds of the front end for a token.
    wire: bytes of a token; link: bytes/s of the link, infinite for one that is no limit. slow: the
    share of readers that take `speed` tokens/s, the others whatever comes. window: tokens of a
    stream under way at most. users: who ask again as soon as they have read their answer: a closed
    load; 0: an open one of `rate` requests a second. requests: how many come in a run.
    """

    name: str
    compute: float
    bandwidth: float
    weights: float
    flops: float
    kv: float
    look: float
    schedule: float
    sample: float
    prompt: Lengths
    answer: Lengths
    slots: int
    tokens: int
    blocks: int
    block_size: int = 16
    policy: str = "chunked"
    watermark: float = 0.0
    frame: float = 0.0
    wire: float = 0.0
    link: float = math.inf
    slow: float = 0.0
    speed: float = math.inf
    window: int = 32
    users: int = 0
    rate: float = 0.0
    requests: int = 100

    def __post_init__(self) -> None:
        if bool(self.users) == bool(self.rate):
            raise ValueError(f"{self.name}: users={self.users}, rate={self.rate}: give one of both")
        if self.requests <= 2 * self.users:
            raise ValueError(f"{self.name}: {self.requests} requests of {self.users} users: more")
        most = self.prompt.most + self.answer.most
        if self.blocks * self.block_size < most:
            raise ValueError(f"{self.name}: {self.blocks} blocks: {most} tokens must fit")

    @property
    def open(self) -> bool:
        """Whether requests come whatever happens to those before them."""
        return not self.users
