"""`Speed`: how fast a machine was, moment by moment."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence


class Speed:
    """A machine that is not always as fast: one with neighbours, or one that stood still a while.

    since: moments in seconds, in order, from which on it has a rate; rates: seconds of a usual
    machine's work that it does in a second from then on. The first rate holds before it too, the
    last ever after. Raises ValueError for moments out of order, or a rate that is not above 0.
    """

    def __init__(self, since: Sequence[float], rates: Sequence[float]) -> None:
        if not since or len(since) != len(rates):
            raise ValueError(f"{len(since)} moments, {len(rates)} rates: give one or more of both")
        self._since, self._rates, self._done = list(since), list(rates), [0.0]
        for a, b, rate in zip(since, since[1:], rates, strict=False):
            if b <= a:
                raise ValueError(f"a rate from {b} s on after one from {a} s on: sort them")
            self._done.append(self._done[-1] + rate * (b - a))
        if not min(rates) > 0:
            raise ValueError(f"a rate of {min(rates)}: a machine that does no work never ends it")

    def work(self, moment: float) -> float:
        """Seconds of a usual machine's work that it could have done since the first moment."""
        i = max(0, bisect_right(self._since, moment) - 1)
        return self._done[i] + self._rates[i] * (moment - self._since[i])

    def after(self, moment: float, work: float) -> float:
        """The moment at which work that was begun then is done."""
        whole = self.work(moment) + work
        i = max(0, bisect_right(self._done, whole) - 1)
        return self._since[i] + (whole - self._done[i]) / self._rates[i]
