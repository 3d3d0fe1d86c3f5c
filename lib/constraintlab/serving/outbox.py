"""`Outbox`: what one stream's reader has not been given yet, and what its slowness leads to.

    flowing → coalescing → paused → cut

A reader that can't take an event makes the next ones wait, and they become one event: the text of
many tokens costs the bytes of one frame. If more than `Limits.pause` bytes of text wait, its
request is paused in the engine; once the reader takes what waits, both end. A reader that takes
nothing for `Limits.patience` seconds, or has more than `Limits.most` bytes waiting, is cut off.
So no stream holds more than `most` bytes, however long its reader sleeps. No clock of its own.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bytes of text that wait before the request is paused and before the stream is cut, and
    seconds without progress before it is cut. Raises ValueError that names the fix."""

    pause: int = 4096
    most: int = 1 << 20
    patience: float = 30.0

    def __post_init__(self) -> None:
        if not 0 < self.pause < self.most:
            raise ValueError(
                f"pause={self.pause} and most={self.most} bytes: a stream is paused before it is "
                "cut, so give 0 < pause < most"
            )
        if not self.patience > 0:
            raise ValueError(f"patience={self.patience}: give seconds, more than 0")


class Outbox:
    """Tokens go in with `put`; the texts of events come out. interval: tokens to an event.

    The first text goes out at once, whatever the interval, and so does all that waits when the
    answer ends. A token without text waits for the next that has some.
    """

    __slots__ = (
        "_first", "_interval", "_limits", "_texts", "_tokens", "blocked", "held", "last",
        "out", "since", "size",
    )  # fmt: skip

    def __init__(self, limits: Limits, interval: int = 1) -> None:
        self._limits, self._interval = limits, interval
        self._texts: list[str] = []
        self._tokens, self._first = 0, True
        self.blocked = False
        """An event could not be written yet."""
        self.held = False
        """The request is paused in the engine."""
        self.last = False
        """The answer's last text is in."""
        self.out = 0
        """Tokens of the event that was let out last."""
        self.size = 0
        """Bytes of text that wait for a blocked reader."""
        self.since = 0.0
        """When the reader last took something, while blocked."""

    @property
    def waiting(self) -> int:
        """Tokens that are in and not out."""
        return self._tokens

    @property
    def state(self) -> str:
        """`flowing`, `coalescing` or `paused`."""
        return "paused" if self.held else "coalescing" if self.blocked else "flowing"

    def put(self, text: str, last: bool = False, tokens: int = 1) -> str | None:
        """The next token's text; the text of the event that is due with it, if one is."""
        self._tokens += tokens
        if text:
            self._texts.append(text)
        if self.blocked:
            self.size += len(text.encode())
            self.last |= last
            return None
        if last:
            self.last = True
        elif not self._texts or (self._tokens < self._interval and not self._first):
            return None
        return self._take()

    def block(self, now: float) -> None:
        """The event that was let out is stuck on its way."""
        if not self.blocked:
            self.blocked, self.since = True, now
            self.size = sum(len(text.encode()) for text in self._texts)

    def unblock(self, now: float) -> str | None:
        """It went through; the text of the next event, if one is due."""
        self.blocked, self.size, self.since = False, 0, now
        return self.put("", self.last, 0)

    @property
    def overfull(self) -> bool:
        """Whether the request should be paused now."""
        return self.size > self._limits.pause and not self.held and not self.last

    def overdue(self, now: float) -> bool:
        """Whether the reader has had its time."""
        late = now - self.since > self._limits.patience
        return self.blocked and (late or self.size > self._limits.most)

    def _take(self) -> str:
        texts = self._texts
        text = texts[0] if len(texts) == 1 else "".join(texts)
        texts.clear()
        self.out, self._tokens, self._first = self._tokens, 0, False
        return text
