"""Who had the slots while a request waited: the question that a tail is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from constraintlab.course.driver import Ran
from constraintlab.engine.report import Life
from constraintlab.load.tail import Seen

HOLDS = ("prefill", "decode")
"""Phases in which a request has a slot."""


@dataclass(frozen=True)
class Holder:
    """A request that had a slot while another waited. number: that of its lane; tokens: of its
    answer; seconds: for how long of that wait."""

    number: int
    tokens: int
    seconds: float


def lives(ran: Ran) -> list[Life]:
    """Every request of a run as the engine had it, in the order of its answers."""
    known = {life.label: life for report in ran.reports for life in report.lives}
    return [known[str(answer.number)] for answer in ran.answers]


def holders(ran: Ran, seen: Seen) -> list[Holder]:
    """Who had a slot between a request's sending and its first token, the longest first."""
    begin = ran.reports[0].now + seen.at
    end = begin + seen.ttft
    found = []
    for life, answer in zip(lives(ran), ran.answers, strict=True):
        spans = [(s.start, s.end) for s in life.spans if s.phase in HOLDS and s.end is not None]
        held = sum(max(0.0, min(b, end) - max(a, begin)) for a, b in spans)
        if held > 0 and life.number != seen.index:
            found.append(Holder(life.number, len(answer.tokens), held))
    return sorted(found, key=lambda h: -h.seconds)


def long_share(held: Sequence[Holder], tokens: float) -> float:
    """Of all that time, the share of those whose answers have more than so many tokens."""
    whole = sum(h.seconds for h in held)
    return sum(h.seconds for h in held if h.tokens > tokens) / whole if whole else 0.0
