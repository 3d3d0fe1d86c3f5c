"""What can be seen of a run while it goes on: counters, and requests as lanes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

Span = tuple[str, float, float | None]
"""A phase with its start and end in seconds of the run; None while it goes on."""


@dataclass(frozen=True)
class Counters:
    """Totals since the run's start. open: sent and not ended; streaming: of them, those that have
    had a token. failed: neither ok, rejected nor cancelled. lag: seconds that the client's own
    loop was late, the worst lately. cpu: core-seconds that the client has spent."""

    now: float = 0.0
    sent: int = 0
    open: int = 0
    streaming: int = 0
    ok: int = 0
    rejected: int = 0
    failed: int = 0
    cancelled: int = 0
    tokens: int = 0
    lag: float = 0.0
    cpu: float = 0.0

    @property
    def ended(self) -> int:
        return self.ok + self.rejected + self.failed + self.cancelled

    @classmethod
    def total(cls, parts: Iterable[Counters]) -> Counters:
        """Of several clients: sums, the latest `now` and the worst `lag`."""
        parts = list(parts)
        sums = {f.name: sum(getattr(p, f.name) for p in parts) for f in fields(cls)}
        for name in ("now", "lag"):
            sums[name] = max((getattr(p, name) for p in parts), default=0.0)
        return cls(**sums)


@dataclass(frozen=True)
class Lane:
    """A request as its client sees it. number: 1 or more, in order of arrival.

    spans: `queued` from the schedule to the response's headers, `prefill` to the first token,
    `decode` to the last. A server that answers before it has a slot shows its queue as prefill:
    from outside the two look alike. ended: the record's status; empty while it goes on.
    """

    number: int
    spans: tuple[Span, ...]
    ended: str = ""


def lane(
    index: int,
    scheduled: float,
    answered: float | None,
    first: float | None,
    ended: float | None,
    status: str = "",
) -> Lane:
    """A lane from the moments of a request; those that have not come are None."""
    marks = [("queued", scheduled), ("prefill", answered), ("decode", first)]
    known = [(phase, at) for phase, at in marks if at is not None]
    ends = [at for _, at in known[1:]] + [ended]
    spans = tuple((p, at, end) for (p, at), end in zip(known, ends, strict=True))
    return Lane(index + 1, spans, status)
