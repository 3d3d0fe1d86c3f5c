"""What stands behind the engine: a front end, a link and readers, which each token goes through.

Front end and link serve one token after the other, in the order in which they were drawn; each
stream's reader takes its own tokens at its own speed. A stream with `window` tokens under way is
held until half of them are read (as a bounded buffer holds it in the real server), so whatever is
slowest behind the engine slows the engine down.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from constraintlab.engine.virtual.ghost import Ghost


@dataclass(frozen=True)
class Stations:
    """frame: seconds of the front end for a token. wire: seconds of the link for a token. window:
    tokens of a stream that may be under way. Raises ValueError for what can't be."""

    frame: float = 0.0
    wire: float = 0.0
    window: int = 32

    def __post_init__(self) -> None:
        if min(self.frame, self.wire) < 0:
            raise ValueError(f"frame={self.frame}, wire={self.wire}: give seconds, 0 or more")
        if self.window < 2:
            raise ValueError(f"window={self.window}: give 2 tokens or more")


class Stream(Ghost):
    """A ghost whose answer somebody reads. gap: seconds that its reader takes for a token, 0 for
    one that takes whatever comes. read: when the last token so far is read. under: when each token
    that is under way is read, in order. user: whose it is.
    """

    __slots__ = ("gap", "read", "under", "user")

    def __init__(
        self, id: int, size: int, wanted: int, arrival: float = 0.0, gap: float = 0.0, user: int = 0
    ) -> None:
        super().__init__(id, size, wanted, arrival)
        if not 0 <= gap < math.inf:
            raise ValueError(f"request {id}: gap={gap}: give seconds a token, 0 or more")
        self.gap, self.user, self.read, self.under = gap, user, 0.0, deque()


class Tandem:
    """The stations at work. reads: for every token that went in, when it is read. passes: there is
    neither front end nor link."""

    def __init__(self, stations: Stations) -> None:
        self.stations = stations
        self.reads: list[float] = []
        self._framed = self._wired = 0.0
        self.passes = not (stations.frame or stations.wire)

    def take(self, at: float, streams: Iterable[Stream]) -> None:
        """A token of each of the streams was drawn at a moment no earlier than those before."""
        frame, wire = self.stations.frame, self.stations.wire
        if self.passes:
            for stream in streams:
                if stream.gap:
                    stream.read = max(at, stream.read) + stream.gap
                    stream.under.append(stream.read)
                    self.reads.append(stream.read)
                else:
                    stream.read = at
                    self.reads.append(at)
            return
        framed, wired, reads = max(self._framed, at), max(self._wired, at), self.reads
        for stream in streams:
            framed += frame
            wired = (framed if framed > wired else wired) + wire
            read = (wired if wired > stream.read else stream.read) + stream.gap
            stream.read = read
            stream.under.append(read)
            reads.append(read)
        self._framed, self._wired = framed, wired

    def room(self, stream: Stream, now: float) -> int:
        """How many tokens more may be under way for it; those read by now are forgotten."""
        under = stream.under
        while under and under[0] <= now:
            under.popleft()
        return self.stations.window - len(under)

    def free(self, stream: Stream) -> float:
        """When half of a full window will have been read."""
        under = stream.under
        return under[len(under) - self.stations.window // 2 - 1]
