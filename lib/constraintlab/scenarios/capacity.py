"""One capacity of a scenario times a factor; the names are those of the resources that can bind."""

from __future__ import annotations

import math
from dataclasses import replace

from constraintlab.scenarios.scenario import Scenario

CAPACITIES = (
    "compute", "bandwidth", "kv_capacity", "slots", "host", "network", "client", "demand", "tokens"
)  # fmt: skip
"""`tokens` is the step's budget, which no resource of a verdict stands for."""


def has(scenario: Scenario, name: str) -> bool:
    """Whether the scenario has such a limit at all."""
    match name:
        case "host":
            return scenario.schedule + scenario.sample + scenario.frame > 0
        case "network":
            return scenario.wire > 0 and math.isfinite(scenario.link)
        case "client":
            return scenario.slow > 0 and math.isfinite(scenario.speed)
        case "demand":
            return scenario.open
    return True


def scaled(scenario: Scenario, name: str, factor: float) -> tuple[Scenario, float]:
    """The scenario with one capacity times a factor, and that factor as it came out: slots, blocks
    and tokens are whole, and none may be fewer than what one request needs."""
    s = scenario
    match name:
        case "compute" | "bandwidth":
            return replace(s, **{name: getattr(s, name) * factor}), factor
        case "host":
            slower = {k: getattr(s, k) / factor for k in ("schedule", "sample", "frame")}
            return replace(s, **slower), factor
        case "network":
            return replace(s, link=s.link * factor), factor
        case "client":
            return replace(s, speed=s.speed * factor), factor
        case "demand":
            return replace(s, rate=s.rate * factor), factor
        case "slots":
            n = max(1, round(s.slots * factor))
            return replace(s, slots=n, tokens=max(n, s.tokens)), n / s.slots
        case "tokens":
            n = max(s.slots, round(s.tokens * factor))
            return replace(s, tokens=n), n / s.tokens
        case "kv_capacity":
            most = s.prompt.most + s.answer.most
            n = max(-(-most // s.block_size), round(s.blocks * factor))
            return replace(s, blocks=n), n / s.blocks
    raise ValueError(f"{name!r} is no capacity: use {', '.join(CAPACITIES)}")


def each_scaled(scenario: Scenario, name: str, factor: float) -> Scenario:
    """The same, but only for the part of the work that each sequence adds to a step: not for what
    a step pays once, which more sequences would share."""
    match name:
        case "bandwidth":
            return replace(scenario, kv=scenario.kv / factor)
        case "host":
            slower = {k: getattr(scenario, k) / factor for k in ("sample", "frame")}
            return replace(scenario, **slower)
    raise ValueError(f"{name!r} is paid by each sequence alone: use bandwidth or host")


def without(scenario: Scenario, name: str) -> Scenario:
    """The scenario without one limit: room for a thousand times as many, a rate a thousand million
    times as high, or, instead of an open load, users who never leave the queue empty."""
    if name != "demand":
        room = name in ("slots", "kv_capacity", "tokens")
        return scaled(scenario, name, 1e3 if room else 1e9)[0]
    users = 2 * scenario.slots
    return replace(scenario, rate=0.0, users=users, requests=3 * users + scenario.requests // 2)
