"""The tiers on the virtual clock: the policies that the replicas run, on the simulated device."""

from __future__ import annotations

from dataclasses import dataclass

from constraintlab.course.tiers import ANSWER, PROMPT, SETUP, STEP, Tiers, rate
from constraintlab.engine.kv.counted import CountedKV
from constraintlab.engine.virtual.clock import Clock
from constraintlab.engine.virtual.cost import StepCost
from constraintlab.engine.virtual.ghost import Ghost


@dataclass(frozen=True)
class Moment:
    """prefill, decode: of each tier's replicas or slots the share that is taken; waiting: requests
    that no decode slot has yet; tokens: so far."""

    prefill: float
    decode: float
    waiting: int
    tokens: int


@dataclass(frozen=True)
class Passed:
    """Requests that went through. prompts, answers: the same ones in both tiers."""

    tiers: Tiers
    prompts: tuple[Ghost, ...]
    answers: tuple[Ghost, ...]

    @property
    def seconds(self) -> float:
        """Until the last has ended."""
        return max(g.ended for g in self.answers)

    @property
    def events(self) -> list[tuple[float, int]]:
        """(seconds, tokens) as clients get them: the first with the prompt, one a step then."""
        found = [(g.ended, 1) for g in self.prompts]
        for g in self.answers:
            apart = (g.ended - g.first) / max(1, g.wanted - 1)
            found += [(g.first + i * apart, 1) for i in range(g.wanted)]
        return sorted(found)

    @property
    def rate(self) -> float:
        """Tokens/s."""
        return rate(self.events).value

    def at(self, t: float) -> Moment:
        """What is under way at a moment."""
        busy = sum(g.admitted <= t < g.ended for g in self.prompts)
        runs = sum(g.admitted <= t < g.ended for g in self.answers)
        left = sum(g.ended <= t for g in self.answers)
        return Moment(
            min(1.0, busy / self.tiers.prefill), runs / self.tiers.slots,
            len(self.answers) - left - runs, sum(at <= t for at, _ in self.events),
        )  # fmt: skip


def passed(tiers: Tiers, requests: int) -> Passed:
    """So many requests, all there within a moment; a tier's replicas take them in turn."""
    prompts = [Ghost(i, PROMPT, 1, i / 1000) for i in range(requests)]
    _tier(prompts, tiers.prefill)
    ready = sorted(prompts, key=lambda g: (g.ended, g.id))
    # KV came along: what is left is one token to compute, and the answer's others to draw.
    answers = [Ghost(g.id, 1, ANSWER - 1, g.ended) for g in ready]
    _tier(answers, tiers.decode)
    return Passed(tiers, tuple(ready), tuple(answers))


def _tier(ghosts: list[Ghost], replicas: int) -> None:
    for i in range(replicas):
        kv = CountedKV(SETUP.blocks, SETUP.block_size)
        cost = StepCost(fixed=STEP)
        Clock(SETUP.scheduler(), kv, SETUP.budget(), cost).run(ghosts[i::replicas])
