"""`Record`: what became of one request, on one clock that starts with the run.

TTFT = first − sent: from the send to the first token that is not empty, connecting included.
TPOT = (last − first) / (output tokens − 1): the first token is not in it.
ITL = the gaps between events that carry tokens; where an event carries several, one gap stands
for all of them. E2E = last − sent. Schedule delay = sent − scheduled: the client's own lateness.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

STATUSES = ("ok", "rejected", "error", "cut", "timeout", "cancelled")


class Events(Sequence):
    """(time in s, tokens, bytes) of each SSE event; 16 bytes an event where tuples take 150."""

    __slots__ = ("sizes", "times", "tokens")

    def __init__(self, events: Iterable[tuple[float, int, int]] = ()) -> None:
        self.times, self.tokens, self.sizes = array("d"), array("I"), array("I")
        for event in events:
            self.add(*event)

    def add(self, time: float, tokens: int, size: int) -> None:
        """One more; times never go back."""
        self.times.append(time)
        self.tokens.append(tokens)
        self.sizes.append(size)

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, i: int | slice) -> tuple | list:
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        return self.times[i], self.tokens[i], self.sizes[i]

    def __iter__(self) -> Iterator[tuple[float, int, int]]:
        return zip(self.times, self.tokens, self.sizes, strict=True)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Events):
            return NotImplemented
        return list(self) == list(other)

    __hash__ = None

    def __repr__(self) -> str:
        return f"Events({list(self)})"


@dataclass(frozen=True)
class Record:
    """One request; all times in seconds from the run's start.

    first: when the first token that is not empty came, None if none did. last: when the last
    token came; without any, when the request ended. received: bytes of the body as they were on
    the wire, chunk framing included, headers not. status: one of STATUSES, with the reason in
    `error`. right: whether the answer is right, None where it can't be checked. counted: False
    if the server did not say how many tokens it sent, so that each event counts as one. waited:
    where its E2E went, seconds by cause, what the server did not account for as `stream`;
    waited_first: where its TTFT did. Both are empty where the server says nothing of it.
    """

    index: int
    scheduled: float
    sent: float
    first: float | None = None
    last: float = 0.0
    events: Events = field(default_factory=Events)
    prompt_tokens: int = 0
    output_tokens: int = 0
    status: str = "ok"
    error: str = ""
    received: int = 0
    finish: str = ""
    right: bool | None = None
    counted: bool = True
    waited: Mapping[str, float] = field(default_factory=dict)
    waited_first: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status {self.status!r} is none of {', '.join(STATUSES)}")

    @property
    def ok(self) -> bool:
        """Whether it ran to its end."""
        return self.status == "ok"

    @property
    def delay(self) -> float:
        """How late the client sent it."""
        return self.sent - self.scheduled

    @property
    def ttft(self) -> float | None:
        """Time to first token; None if none came."""
        return None if self.first is None else self.first - self.sent

    @property
    def e2e(self) -> float:
        """From the send to the last token."""
        return self.last - self.sent

    @property
    def tpot(self) -> float | None:
        """Time per output token after the first; None for fewer than two tokens."""
        if self.first is None or self.output_tokens < 2:
            return None
        return (self.last - self.first) / (self.output_tokens - 1)

    @property
    def gaps(self) -> list[float]:
        """ITL: between events that carry tokens."""
        times = [t for t, n, _ in self.events if n]
        return [b - a for a, b in pairwise(times)]
