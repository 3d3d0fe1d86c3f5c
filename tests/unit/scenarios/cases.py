"""A scenario in which one thing binds, by hand: 1 TFLOP/s, 1 GB/s, steps of some milliseconds."""

from dataclasses import replace

from constraintlab.scenarios.scenario import Lengths, Scenario

PLAIN = Scenario(
    "plain", compute=1e12, bandwidth=1e9, weights=1e5, flops=1e6, kv=1.0, look=0.0, schedule=0.0,
    sample=0.0, prompt=Lengths("fixed", 16), answer=Lengths("uniform", 24), slots=8, tokens=512,
    blocks=400, users=16, requests=80,
)  # fmt: skip
"""Nothing takes long but 0.1 ms of weights: add what shall bind."""


def with_(**changes) -> Scenario:
    return replace(PLAIN, **changes)
