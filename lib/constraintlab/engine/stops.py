"""Stop strings in text that arrives in pieces: nothing is let out that may be part of one."""

from __future__ import annotations

from collections.abc import Iterable


class StopMatcher:
    """Feed it detokenised text; what it returns may be shown.

    The stop string that ends first wins (of two that end together the longer one), so the
    answer is the same however the text is cut into pieces. That string and whatever follows it
    are never let out. Raises TypeError for one bare string, ValueError for an empty one.
    """

    def __init__(self, stops: Iterable[str]) -> None:
        if isinstance(stops, str):
            raise TypeError(f"stops={stops!r} is one string: give a list of them, [{stops!r}]")
        self._stops = tuple(stops)
        if "" in self._stops:
            raise ValueError("a stop string is empty: leave it out")
        self._longest = max(map(len, self._stops), default=0)
        self._held = ""
        self.found: str | None = None
        """The stop string that ended the text, once one did."""

    def push(self, text: str) -> str:
        """Take more text; returns what can't be part of a stop string any more."""
        if self.found is not None:
            return ""
        text = self._held + text
        ends = [(text.find(stop) + len(stop), stop) for stop in self._stops if stop in text]
        if ends:
            end, self.found = min(ends, key=lambda pair: (pair[0], -len(pair[1])))
            self._held = ""
            return text[: end - len(self.found)]
        keep = self._may_start(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """The text is over: returns what was held back, which turned out to be no stop string."""
        held, self._held = self._held, ""
        return held

    def _may_start(self, text: str) -> int:
        """Length of the longest end of `text` that a stop string starts with."""
        for n in range(min(len(text), self._longest - 1), 0, -1):
            if any(stop.startswith(text[-n:]) for stop in self._stops):
                return n
        return 0
