"""Scenarios drawn from a seed: a wide spread of what binds, near ties among them.

A scenario is drawn around a step of 16 ms or so that reads the weights once. Everything else is a
ratio to that, drawn so that now this and now that is the longest; what stands behind the engine is
a ratio to a rough throughput of the engine alone. Nothing says what binds: that comes out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from constraintlab.scenarios.scenario import KINDS, Lengths, Scenario

COMPUTE, BANDWIDTH = 100e12, 1e12
"""FLOP/s and bytes/s of the machine; only ratios matter."""


@dataclass(frozen=True)
class Size:
    """How large what is drawn may be, as (least, most): sequences in a step, mean tokens of prompts
    and answers, seconds of a step that reads the weights; wire: bytes of a token, one of these."""

    batch: tuple[float, float] = (8, 24)
    prompt: tuple[float, float] = (8, 200)
    answer: tuple[float, float] = (24, 64)
    step: tuple[float, float] = (4e-3, 30e-3)
    wire: tuple[float, ...] = (40.0, 300.0)


VARIED = ("lognormal", "two", "uniform")
"""Answers that are all equally long keep users in step with each other for ever."""


def draw(seed: int, number: int, size: Size = Size()) -> Scenario:
    """Scenario `number` of a seed."""
    random = Random(f"{seed} scenario {number}")

    def between(low: float, high: float) -> float:
        """Evenly on a log axis."""
        return low * (high / low) ** random.random()

    batch = round(between(*size.batch))
    prompt = Lengths(random.choice(sorted(KINDS)), between(*size.prompt))
    answer = Lengths(random.choice(VARIED), between(*size.answer))
    step = between(*size.step)
    weights = step * BANDWIDTH
    mean = prompt.mean + answer.mean / 2
    tokens = batch * (1 + prompt.mean / answer.mean)
    # What a step of `batch` sequences takes for its other parts, in steps that read the weights.
    flops = step * COMPUTE * between(0.05, 4.0) / tokens
    kv = weights * between(0.05, 3.0) / (batch * mean)
    look = kv * between(0.05, 2.0) * COMPUTE / BANDWIDTH * 0.3
    schedule = step * random.choice((0.0, between(0.02, 0.5), between(0.5, 4.0)))
    sample = step * random.choice((0.02, between(0.02, 0.5), between(0.5, 4.0))) / batch
    products = max(flops * tokens / COMPUTE, step)
    pace = products + max(kv / BANDWIDTH, look / COMPUTE) * mean * batch + schedule + sample * batch
    rate = batch / pace
    most = prompt.most + answer.most
    slots, blocks, users = batch, 1 + 4 * batch * most // 16, 2 * batch
    match random.choice(("slots", "slots", "kv", "kv", "both", "users")):
        case "kv":
            slots, blocks = 4 * batch, max(-(-most // 16) + 1, round(batch * (mean + 8) / 16))
            users = 3 * batch
        case "both":
            blocks = max(-(-most // 16) + 1, round(between(0.6, 1.7) * batch * (mean + 8) / 16))
        case "users":
            slots, users = 2 * batch, batch
    behind = {name: _ratio(random) for name in ("frame", "link", "readers")}
    frame = 1 / (rate * behind["frame"]) if behind["frame"] else 0.0
    wire = random.choice(size.wire)
    link = rate * behind["link"] * wire if behind["link"] else math.inf
    slow = random.choice((0.3, 1.0, 1.0)) if behind["readers"] else 0.0
    speed = rate / batch * behind["readers"] if slow else math.inf
    requests = 80 + 5 * users
    load = {"users": users}
    if random.random() < 0.35:
        load = {"rate": rate / answer.mean * random.choice((between(0.2, 0.8), between(0.8, 2.5)))}
        requests = 250 + 15 * batch
    return Scenario(
        f"{seed}/{number}", COMPUTE, BANDWIDTH, weights, flops, kv, look, schedule, sample,
        prompt, answer, slots, max(slots, round(between(0.5, 4) * max(prompt.mean, 4 * batch))),
        blocks, 16, random.choice(("chunked", "continuous")), random.choice((0.0, 0.1, 0.2, 0.3)),
        frame, wire, link, slow, speed, random.choice((16, 32)), **load, requests=requests,
    )  # fmt: skip


def _ratio(random: Random) -> float:
    """A station's pace over the engine's: none, one that hardly matters, one that binds, a tie."""
    return random.choice(
        (0.0, 0.0, random.uniform(1.5, 6), random.uniform(1.5, 6), random.uniform(0.4, 0.85),
         random.uniform(0.85, 1.2))
    )  # fmt: skip
