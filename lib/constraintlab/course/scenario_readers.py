"""Who reads a virtual run's answers, by its counters, and what has to be assumed of them."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from constraintlab.engine.virtual.counts import Counts
from constraintlab.limits.answers import VARIES, Answers, Read, lengths
from constraintlab.scenarios.scenario import Scenario


@dataclass(frozen=True)
class Assumed:
    """What the closed form has to assume, since no counter shows it. ahead: how much of a window is
    unread when a slow reader's place becomes free; None where that follows from each answer's
    length, see `unread`. varies: see `Answers`. bends: whether what the throughput that was
    measured lacks is taken for parts that are close. comes: by how many standard errors of their
    number more requests come at other times than came while it was counted."""

    ahead: float | None = None
    varies: float = VARIES
    bends: bool = True
    comes: float = 0.0


USUAL = Assumed()
READERS = Assumed(ahead=0.5), Assumed(ahead=1.0), Assumed(varies=0.02), Assumed(varies=0.2)
SHARP = Assumed(bends=False)
COMES = Assumed(comes=-1.0), Assumed(comes=1.0)
"""The ends of what may be assumed as well. A stream is held while between half a window and a whole
one is unread, and paces were seen to vary by up to a fifth; that X is below what the slowest part
alone would make may have another reason than a part that is close to it. Where N independent
requests come in a time, √N more or fewer come in another as long (the standard deviation of a
Poisson number): how near an open load is to what can be served is known no better than that."""


def behind(s: Scenario, counts: Counts) -> float:
    """Seconds until a token comes to its reader, where neither front end nor link is behind: those
    of a step go through them one after the other."""
    batch, each = counts.steps.sequences / counts.steps.steps, (s.frame, s.wire / s.link)
    return sum(each) + max(each) * (batch - 1) / 2


def away(counts: Counts) -> float:
    """Users who read their last token while the engine is in a step already, and so miss it: one
    step for each answer. No more than were counted: with nothing behind the engine it is nobody,
    and those whose tokens queue behind it are there again once it is the slower."""
    seconds, many = counts.seconds, counts.answers.total()
    reading = max(0.0, counts.open - counts.resident - counts.waiting) / seconds
    return min(reading, many / counts.steps.steps)


def answers(s: Scenario, counts: Counts, tokens: float, assumed: Assumed = USUAL) -> Answers | None:
    """The answers that ended, by their readers; None where nobody reads slowly. tokens: of a
    sequence in a step."""
    by_gap: dict[float, Counter] = {}
    for (gap, length), n in counts.answers.items():
        by_gap.setdefault(gap, Counter())[length] += n
    total = sum(c.total() for c in by_gap.values())
    if not any(by_gap):
        return None
    shares = {gap: c.total() / total for gap, c in by_gap.items()}
    if not s.open and len(by_gap) == 2:
        # Users stay who they are; who reads fast asks more often.
        slow = math.ceil(s.slow * s.users) / s.users
        shares = {gap: slow if gap else 1 - slow for gap in by_gap}
    kinds = tuple(
        Read(shares[gap], 1 / gap if gap else math.inf, lengths(found))
        for gap, found in sorted(by_gap.items())
    )
    mean = sum(length * n for (_, length), n in counts.answers.items()) / total
    found = Answers(
        kinds,
        (assumed.ahead or 0.0) * s.window,
        prompts=mean * (1 / tokens - 1),
        varies=assumed.varies,
        window=0.0 if assumed.ahead else s.window,
        delay=behind(s, counts),
    )
    long = sum(length**2 * n for (_, length), n in counts.answers.items())
    prompt = max(0.0, counts.held_steps / total / mean - long / total / mean / 2)
    return found.holding(prompt, counts.seconds / counts.steps.steps)
