"""`Answers`: requests whose readers may lag behind their stream, and how many are answered then.

A request keeps its place in the batch for the steps of its prompt and until its last token is
drawn. A stream may be some tokens ahead of its reader, so an answer of L tokens takes its place for
the longer of L steps and the time in which its reader takes the tokens but those: short answers are
not held up at all, long ones are. Who asks next only when all is read waits for the reader of all
of it. X therefore bends slowly where a reader's rate and a stream's are close: each answer at a
point of its own, and one answer more or less, since steps are not all equally long.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from constraintlab.limits.window import unread

MOST = 16
"""Lengths that a reader's answers are told apart by."""

VARIES = 0.1
"""Of 0 to 0.2, 0.1 and 0.15 had most elasticities right in 460 scenarios on the virtual clock."""


@dataclass(frozen=True)
class Read:
    """Requests with one kind of reader: `share` of the users, or of the requests of an open load.

    rate: tokens/s that the reader takes at most, infinite for one that takes whatever comes.
    lengths: (tokens of an answer, share of the answers).
    """

    share: float
    rate: float
    lengths: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1 + 1e-9 or not self.rate > 0 or not self.lengths:
            raise ValueError(
                f"share={self.share}, rate={self.rate}, {len(self.lengths)} lengths: give a share "
                "from 0 to 1, a rate above 0 tokens/s and one length or more"
            )

    @cached_property
    def mean(self) -> float:
        """Tokens of an answer."""
        return sum(tokens * share for tokens, share in self.lengths)

    def kept(
        self,
        step: float,
        ahead: float,
        varies: float,
        fixed: float = 1.0,
        each: float = 0.0,
        window: float = 0.0,
    ) -> float:
        """Seconds for which an answer's tokens take a place, where a step takes `step` seconds.
        fixed, each: how large a place, and by how much larger for each token. ahead, window: see
        `Answers`."""
        gap, total = 1 / self.rate, 0.0
        for tokens, share in self.lengths:
            if window and gap:
                ahead = unread(tokens, step / gap, window, varies)
            held = longer(tokens * step, step + (tokens - ahead) * gap, varies)
            total += share * (fixed + each * tokens) * held
        return total

    def read(self, step: float, varies: float, delay: float = 0.0) -> float:
        """Seconds from the step that draws the first token until the step that whoever has read the
        last one may be in next. delay: until a token that is drawn comes to its reader."""
        gap = 1 / self.rate
        # While the last token is read a step has begun, and who asks then is in no step before the
        # next: half of one later on the average, and a whole one after the last at least.
        late = max(step, gap + delay + step / 2) if gap or delay else 0.0
        return late + sum(
            share * longer(tokens * step, step + (tokens - 1) * gap, varies)
            for tokens, share in self.lengths
        )


@dataclass(frozen=True)
class Answers:
    """kinds: whose shares add to 1. ahead: tokens of an answer that are unread, in the mean, when
    its place becomes free, if its reader is slow; where a window is given, `unread` says that for
    each length. prompts: steps that a request is in before one draws a token for it. varies: how
    far a stream's pace varies from answer to answer, as a part of it. delay: seconds until a token
    that is drawn comes to its reader. fixed, each: a place in the pool, of an answer and for each
    of its tokens, in places as they are in the mean at the working point."""

    kinds: tuple[Read, ...]
    ahead: float = 0.0
    prompts: float = 0.0
    varies: float = VARIES
    fixed: float = 1.0
    each: float = 0.0
    window: float = 0.0
    delay: float = 0.0

    def __post_init__(self) -> None:
        if not math.isclose(sum(k.share for k in self.kinds), 1, rel_tol=1e-6):
            raise ValueError(f"shares {[k.share for k in self.kinds]}: they add to 1")

    @property
    def slow(self) -> bool:
        """Whether anybody is."""
        return any(math.isfinite(k.rate) for k in self.kinds)

    def faster(self, factor: float) -> Answers:
        """With readers of `factor` times the rate."""
        return replace(self, kinds=tuple(replace(k, rate=k.rate * factor) for k in self.kinds))

    def holding(self, prompt: float, step: float) -> Answers:
        """The same, where a pool keeps so many tokens of a prompt and half of the answer's in the
        mean, counted in places as they are with steps of `step` seconds."""
        how = step, self.ahead, self.varies
        seconds = sum(k.share * k.kept(*how, window=self.window) for k in self.kinds)
        held = sum(k.share * k.kept(*how, prompt, 0.5, self.window) for k in self.kinds)
        return replace(self, fixed=prompt * seconds / held, each=0.5 * seconds / held)

    def x(self, step: float, places: float, users: float, pool: float = 0.0) -> float:
        """Tokens/s where a step takes `step` seconds. places: in the batch. users: who ask again
        when they have read their answer; infinite where requests never run out. pool: how far it
        is the pool that the places are of, 0 to 1: there, long answers take more."""
        fixed, each = 1 - pool + pool * self.fixed, pool * self.each
        how = self.ahead, self.varies, fixed, each, self.window
        kept = [self.prompts * step + k.kept(step, *how) for k in self.kinds]
        if math.isinf(users):
            held = sum(k.share * t for k, t in zip(self.kinds, kept, strict=True))
            tokens = sum(k.share * k.mean for k in self.kinds)
            return places * tokens / held if held else math.inf
        cycles = [self.prompts * step + k.read(step, self.varies, self.delay) for k in self.kinds]
        wait = self._wait(kept, cycles, places / users)
        return users * sum(
            k.share * k.mean / (wait + cycle) if wait + cycle else math.inf
            for k, cycle in zip(self.kinds, cycles, strict=True)
        )

    def _wait(self, kept: list[float], cycles: list[float], places: float) -> float:
        """Seconds in the queue with which each user takes so much of a place: 0 where that is more
        than all of them need. By Newton's method: the need is convex and falls with the wait."""
        wait = 0.0
        for _ in range(60):
            need = slope = 0.0
            for k, t, cycle in zip(self.kinds, kept, cycles, strict=True):
                if t:
                    need += k.share * t / (wait + cycle)
                    slope += k.share * t / (wait + cycle) ** 2
            if need <= places * (1 + 1e-12):
                break
            wait += (need - places) / slope
        return wait


def longer(drawn: float, read: float, varies: float = VARIES) -> float:
    """The mean of the longer of two times of which the first varies, normally, by that part."""
    apart = (drawn - read) / (varies * drawn) if drawn else -math.inf
    if abs(apart) > 6:
        return max(drawn, read)
    below = 0.5 * (1 + math.erf(apart / math.sqrt(2)))
    density = math.exp(-apart * apart / 2) / math.sqrt(2 * math.pi)
    return read + varies * drawn * (apart * below + density)


def lengths(counted: Mapping[float, float]) -> tuple[tuple[float, float], ...]:
    """How many answers had so many tokens, as at most MOST lengths with a share each."""
    total, found, tokens, many = sum(counted.values()), [], 0.0, 0.0
    for length, n in sorted(counted.items()):
        tokens, many = tokens + length * n, many + n
        if many >= total / MOST:
            found.append((tokens / many, many / total))
            tokens = many = 0.0
    if many:
        found.append((tokens / many, many / total))
    return tuple(found)
