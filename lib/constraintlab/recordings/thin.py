"""Which of a panel's frames are kept: at most one every GAP of a kind, and always the last."""

from __future__ import annotations

from collections.abc import Iterable

from constraintlab.recordings import tape

GAP = 0.5
"""Seconds between two frames of the same kind of one panel."""

LIMIT = 1_000_000
"""Bytes that a recording may have."""

FRAMES = ("view", "row", "scene")


def channel(event: dict) -> tuple | None:
    """What a newer event replaces: the same view of the same panel; None for what is no frame."""
    if event["do"] not in FRAMES:
        return None
    return event["do"], event["panel"], event.get("name", ""), event.get("epoch", 0)


class Thinner:
    """Frames come, and those go out that are `gap` apart; the newest of each kind is held back
    until then, or until something else happens, so that what was shown last is never lost."""

    def __init__(self, gap: float = GAP) -> None:
        self.gap = gap
        self._last: dict[tuple, float] = {}
        self._held: dict[tuple, dict] = {}

    def take(self, event: dict) -> list[dict]:
        """What is to be kept now, in order of time."""
        kind = channel(event)
        if kind is None:
            return [*self.rest(), event]
        self._held[kind] = event
        return self._due(event["t"])

    def rest(self) -> list[dict]:
        """What is held back."""
        out = sorted(self._held.values(), key=lambda event: event["t"])
        for event in out:
            self._last[channel(event)] = event["t"]
        self._held.clear()
        return out

    def _due(self, now: float) -> list[dict]:
        out = []
        for kind in list(self._held):
            # A hair less, or ten samples a second would be kept at every sixth.
            if now - self._last.get(kind, -self.gap) >= self.gap - 0.02:
                out.append(self._held.pop(kind))
                self._last[kind] = now
        return sorted(out, key=lambda event: event["t"])


def thin(events: Iterable[dict], gap: float) -> list[dict]:
    """The events with their frames `gap` apart."""
    thinner = Thinner(gap)
    return [*(kept for event in events for kept in thinner.take(event)), *thinner.rest()]


def fitted(head: tape.Head, events: list[dict], limit: int = LIMIT) -> list[dict]:
    """As many of the frames as fit in `limit` bytes on disk, evenly; all other events stay."""
    gap = GAP
    while len(tape.packed(head, events)) > limit and gap < 600:
        gap *= 1.5
        events = thin(events, gap)
    return events
