"""Admission: how many requests may be open, and when one that was turned away should try again."""

from __future__ import annotations

import math
from collections import deque

RECENT = 64
"""Ends of requests that the rate is taken from."""

LONGEST_WAIT = 60.0
"""Seconds; the most that Retry-After says."""


class Gate:
    """Lets in at most `slots` + `queue` open requests. Times are passed in, in seconds."""

    def __init__(self, slots: int, queue: int) -> None:
        if queue < 0:
            raise ValueError(f"queue={queue}: give 0 or more requests that may wait")
        self.slots, self.queue = slots, queue
        self.open = 0
        self._ends: deque[float] = deque(maxlen=RECENT)

    @property
    def full(self) -> bool:
        """Whether the next one is turned away."""
        return self.open >= self.slots + self.queue

    def enter(self) -> None:
        """A request is open from now on."""
        assert not self.full
        self.open += 1

    def leave(self, now: float) -> None:
        """One has ended."""
        self.open -= 1
        self._ends.append(now)

    def rate(self, now: float) -> float:
        """Requests that end a second, over the last of them, up to now; 0 before there are two."""
        if len(self._ends) < 2:
            return 0.0
        return (len(self._ends) - 1) / max(1e-9, now - self._ends[0])

    def retry_after(self, now: float) -> float:
        """Seconds until all that waits should have begun: queue ÷ rate, from 1 to LONGEST_WAIT.

        Who comes back sooner finds the queue as full as it was. LONGEST_WAIT while nothing ends.
        """
        rate = self.rate(now)
        wait = (self.queue + 1) / rate if rate else math.inf
        return min(LONGEST_WAIT, max(1.0, wait))
