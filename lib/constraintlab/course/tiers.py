"""Lab 08's tiers: how many replicas of each, what users ask of them, and the verdict on them.

Prefill and decode are side by side, so of the two whichever takes longer for a token sets the
pace. One `Kernel` says just that: its arithmetic is the prefill tier's, its traffic the decode
tier's, and the larger counts. The device is simulated, so both are counted in its seconds.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

from constraintlab.engine.setup import Setup
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.diagnose import diagnose
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource
from constraintlab.limits.stack import Stack, Station
from constraintlab.limits.verdict import Verdict
from constraintlab.limits.work import Kernel, Work
from constraintlab.load.arrivals import Uniform
from constraintlab.load.profiles import Lengths, Profile
from constraintlab.load.text import Text
from constraintlab.load.workload import Workload

SETUP = Setup(threads=1, blocks=512, slots=4, tokens=16, policy="chunked", words=True)
"""Of each replica: a prompt takes it four steps."""

STEP = 0.06
"""Seconds of a simulated step. A token costs all tiers and the client some 5 ms of a core: at 200
tokens a second, the most of any run here, that is one core."""

PROMPT, ANSWER = 64, 26
"""Tokens. One prefill replica then gives about 1.6 times what one decode replica takes."""

FROM, UPTO = 0.2, 0.65
"""The part of a run's tokens that its rate is taken from: requests wait for every slot then."""

PARTS = 2
"""That part in equal ones, a rate each: what it varies by while nothing changes."""

EDGES = 0.03
"""By so much a run's beginning and end move a rate on the virtual clock; nothing else does."""

COSTS = f"modelled: a simulated device, {1000 * STEP:.0f} ms a step"


@dataclass(frozen=True)
class Tiers:
    """How many replicas of each tier."""

    prefill: int = 1
    decode: int = 1

    @property
    def name(self) -> str:
        """`1 prefill, 2 decode`."""
        return f"{self.prefill} prefill, {self.decode} decode"

    @property
    def slots(self) -> int:
        """Of all decode replicas."""
        return SETUP.slots * self.decode

    def requests(self, rounds: int) -> int:
        """So many that each slot has that many of them, and a few more."""
        return rounds * self.slots + SETUP.slots


@dataclass(frozen=True)
class Tiered:
    """One run. modelled: tokens/s on the virtual clock; measured: on Ray Serve, or `n/a` with why.

    spent: core-seconds a token, by tier and of the client, where it was measured.
    """

    tiers: Tiers
    modelled: Estimate
    measured: Estimate
    verdict: Verdict
    spent: Mapping[str, float] = field(default_factory=dict)

    @property
    def real(self) -> bool:
        """Whether tiers ran; else all is modelled."""
        return not self.measured.missing


def gain(before: Tiered, after: Tiered) -> Estimate:
    """What came of it, in ×: as measured where both were, else on the virtual clock."""
    if before.real and after.real:
        one, other = before.measured, after.measured
        low, high = other.low / one.high, other.high / one.low
        return Estimate(other.value / one.value, low, high, "×", "measured")
    x = after.modelled.value / before.modelled.value
    return Estimate(x, x * (1 - EDGES), x * (1 + EDGES), "×", "modelled: virtual clock")


def told(gain: Estimate) -> str:
    """A note below a table in which a gain stands as measured."""
    if gain.source == "measured":
        return "Tokens a second, on Ray Serve."
    return "Nothing was measured here: the virtual clock ran instead, and its gain is modelled."


def workload(requests: int, answer: int = ANSWER) -> Workload:
    """All there within a moment: prompts of digits, which the reasoner goes on with, and answers
    of an exact length."""
    profile = Profile("tiers", Lengths.exactly(PROMPT), Lengths.exactly(answer))
    return Workload(Uniform(1000.0), profile, limit=requests, text=Text("digits"))


def rate(events: Iterable[tuple[float, int]], tokens: int | None = None) -> Estimate:
    """Tokens/s from FROM to UPTO of all tokens, and its lowest and highest over PARTS of these.

    events: (seconds, tokens), in any order. tokens: of a whole run, where this one was ended
    before; ValueError if it ended before UPTO.
    """
    events = sorted(events)
    sums = list(accumulate(n for _, n in events))
    whole = tokens or sums[-1]
    if not sums or sums[-1] < UPTO * whole:
        raise ValueError(f"{sums[-1] if sums else 0} of {whole} tokens came: run it for longer")
    shares = [FROM + (UPTO - FROM) * i / PARTS for i in range(PARTS + 1)]
    marks = [bisect_left(sums, share * whole) for share in shares]

    def between(first: int, last: int) -> float:
        return (sums[last] - sums[first]) / (events[last][0] - events[first][0])

    parts = [between(*ends) for ends in pairwise(marks)]
    return Estimate(between(marks[0], marks[-1]), min(parts), max(parts), "tok/s")


def device() -> Capacities:
    """The simulated one, of which a unit of work takes a second."""
    one = Estimate(1.0, 1.0, 1.0, "1/s", COSTS)
    return Capacities({"float32": one}, one, Estimate.absent("B/s", "a device has none"), cores=1.0)


def stack(tiers: Tiers, spent: Mapping[str, float] | None = None, cores: float = 1.0) -> Stack:
    """As seen from the decode tier. spent: core-seconds a token on a host of so many cores."""
    steps = ANSWER - 1  # the first token comes from the prefill tier
    each = ANSWER / steps
    prompt = STEP * math.ceil(PROMPT / SETUP.tokens) / ANSWER / tiers.prefill
    step = Kernel("decode beside prefill", Work(flops=prompt * each), Work(bytes=STEP))
    stations = []
    if spent:
        core = spent["gateway"]
        stations.append(Station("gateway", Resource.HOST, core, 0.0, (("gateway", core),)))
        whole = {name: s / cores for name, s in spent.items()}
        stations.append(Station("this machine's cores", Resource.HOST, sum(whole.values()),
                                0.0, tuple(whole.items())))  # fmt: skip
    return Stack(
        (step,), stations=tuple(stations), tokens=each, population=math.inf, slots=tiers.slots
    )


def verdict(
    tiers: Tiers, seen: Estimate, spent: Mapping[str, float] | None = None, cores: float = 1.0
) -> Verdict:
    """What binds. seen: tokens/s."""
    sources = {"demands": COSTS}
    return diagnose(stack(tiers, spent, cores), device(), measured=seen, sources=sources)
