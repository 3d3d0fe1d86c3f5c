"""`Tail`: the slowest requests of a run, and what they waited for."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from constraintlab.engine.answer import Answer
from constraintlab.engine.ledger import OWN
from constraintlab.engine.virtual.ghost import Ghost
from constraintlab.load.waits import STREAM, WORDS

if TYPE_CHECKING:
    from constraintlab.load.record import Record

LEAST, MOST = 3, 10
"""Requests of a tail."""

METRICS = {"ttft": "TTFT", "e2e": "E2E"}


@dataclass(frozen=True)
class Seen:
    """What became of one request, whoever measured it. Times are in seconds.

    index: its number; at: when it was sent, from the run's start; prompt, output: tokens. ttft:
    None if no token came. waited: where its E2E went, by cause; first: where its TTFT did; both
    empty where nobody said.
    """

    index: int
    at: float
    prompt: int
    output: int
    ttft: float | None
    e2e: float
    waited: Mapping[str, float] = field(default_factory=dict)
    first: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of_record(cls, record: Record) -> Seen:
        """As a client saw it over HTTP."""
        return cls(
            record.index, record.sent, record.prompt_tokens, record.output_tokens, record.ttft,
            record.e2e, record.waited, record.waited_first,
        )  # fmt: skip

    @classmethod
    def of_answer(cls, answer: Answer, start: float, index: int | None = None) -> Seen:
        """As who asked an engine's process saw it, once it has ended with a token or more. start:
        of the run, `time.monotonic` seconds. index: its own number unless given."""
        return cls(
            answer.number if index is None else index, answer.sent - start, len(answer.prompt),
            len(answer.tokens), answer.times[0] - answer.sent, answer.times[-1] - answer.sent,
            answer.bill, answer.first_bill,
        )  # fmt: skip

    @classmethod
    def of_ghost(cls, ghost: Ghost) -> Seen:
        """As the virtual clock had it."""
        return cls(
            ghost.id, ghost.arrival, ghost.size, ghost.output.n, ghost.first - ghost.arrival,
            ghost.ended - ghost.arrival, ghost.bill, ghost.first_bill,
        )  # fmt: skip


@dataclass(frozen=True)
class Tail:
    """by: `ttft` or `e2e`. among: requests that have such a time. requests: the slowest of them,
    slowest first.

    seconds: cause → what it cost those of them together whose time is explained; a request's own
    prompt and answer are causes too.
    """

    by: str
    among: int
    requests: tuple[Seen, ...]
    seconds: Mapping[str, float]

    @classmethod
    def of(cls, seen: Sequence[Seen], by: str = "e2e", share: float = 0.01) -> Tail:
        """The slowest `share` of them: LEAST at least and MOST at most, as far as there are."""
        if by not in METRICS:
            raise ValueError(f"by={by!r}: give {' or '.join(METRICS)}")
        if not 0 < share <= 1:
            raise ValueError(f"share={share}: give more than 0 and at most 1")
        timed = [s for s in seen if getattr(s, by) is not None]
        slowest = sorted(timed, key=lambda s: (-getattr(s, by), s.index))
        # 0.07 × 100 is a little more than 7.
        n = math.ceil(round(share * len(timed), 9))
        requests = tuple(slowest[: min(MOST, max(LEAST, n))])
        together: dict[str, float] = defaultdict(float)
        for one in requests:
            for cause, seconds in spent(one, by).items():
                together[cause] += seconds
        ordered = sorted(together.items(), key=lambda pair: -pair[1])
        return cls(by, len(timed), requests, {c: s for c, s in ordered if s > 0})

    @property
    def start(self) -> float | None:
        """The time from which on a request is in the tail; None where nobody is."""
        return getattr(self.requests[-1], self.by) if self.requests else None

    @property
    def explained(self) -> int:
        """Requests of it of which somebody said where their time went."""
        return sum(bool(spent(s, self.by)) for s in self.requests)

    @property
    def shares(self) -> dict[str, float]:
        """cause → its part of the time, the largest first; less than 1 where some has no cause."""
        whole = sum(getattr(s, self.by) for s in self.requests if spent(s, self.by))
        return {c: s / max(whole, sum(self.seconds.values())) for c, s in self.seconds.items()}

    @property
    def largest(self) -> str | None:
        """The cause that cost most, own work among them; None where nothing is known."""
        return next(iter(self.seconds), None)

    @property
    def waiting(self) -> str | None:
        """The cause that cost most and is no work of the request's own; None where none did."""
        return next((c for c in self.seconds if c not in OWN), None)

    @property
    def text(self) -> str:
        """One sentence."""
        if not self.requests:
            return f"no request has a {METRICS[self.by]}"
        who = (
            f"the slowest {len(self.requests)} of {self.among:,} "
            f"(by {METRICS[self.by]}, from {duration(self.start)} on)"
        )
        if self.largest is None:
            return f"{who}: the server does not say what they waited for"
        if self.explained < len(self.requests):
            who += f", of which {self.explained} have an account,"
        shares, cause, waiting = self.shares, self.largest, self.waiting
        text = f"{who} spent {shares[cause]:.0%} of it {doing(cause)}"
        if cause in OWN and waiting is not None:
            text += f", and {shares[waiting]:.0%} {doing(waiting)}"
        return text

    def json(self) -> dict:
        """Plain data."""
        return {
            "by": self.by, "among": self.among, "from_s": self.start, "explained": self.explained,
            "text": self.text, "largest": self.largest,
            "causes": [
                {"cause": c, "words": words(c), "seconds": s, "share": self.shares[c]}
                for c, s in self.seconds.items()
            ],
            "requests": [
                {"index": s.index, "at_s": s.at, "prompt_tokens": s.prompt,
                 "output_tokens": s.output, "ttft_s": s.ttft, "e2e_s": s.e2e,
                 "waited_s": dict(spent(s, self.by))}
                for s in self.requests
            ],
        }  # fmt: skip


def spent(seen: Seen, by: str) -> Mapping[str, float]:
    """Seconds by cause of one request's TTFT or E2E."""
    return seen.first if by == "ttft" else seen.waited


def words(cause: str) -> str:
    """A cause in words, or its name if it is another server's."""
    return WORDS.get(cause, cause)


def doing(cause: str) -> str:
    """What several requests did in that time: `waiting for a slot`, `on their own answer`."""
    said = re.sub(r"\bits\b", "their", words(cause)).replace("as it came", "as they came")
    return f"on {said}" if cause in (*OWN, STREAM) else f"waiting for {said}"


def duration(seconds: float) -> str:
    """`2.3 s`, `140 ms`."""
    if seconds < 0.9995:
        return f"{seconds * 1e3:.3g} ms"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:,.0f} s"
