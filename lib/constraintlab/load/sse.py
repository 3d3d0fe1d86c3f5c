"""Server-sent events from bytes as they come, however they were cut on the way.

Lines end with LF, CR or CRLF and nothing else, so U+2028 inside a text is text. Source: the
WHATWG HTML standard, 9.2 "Server-sent events". Bytes are decoded when an event is whole, so no
character is ever cut.
"""

from __future__ import annotations

from dataclasses import dataclass

LARGEST = 16 << 20
"""Bytes that one event may have: a server that never ends one must not fill the memory."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event. data: its data lines, joined by LF. id: the last one that any event gave.

    bytes: from the end of the event before to the CR or LF that ended this one, comments included;
    of a final CRLF the LF counts with the next event, for it may come much later.
    """

    data: str
    event: str = "message"
    id: str = ""
    bytes: int = 0


class Parser:
    """Feed it bytes in pieces of any size; the same bytes give the same events."""

    def __init__(self, largest: int = LARGEST) -> None:
        self.retry: int | None = None
        """Milliseconds before a reconnect, if the server gave any."""
        self._largest = largest
        self._parts: list[bytes] = []  # of a line whose end has not come
        self._data: list[bytes] = []
        self._event, self._id = b"", b""
        self._size = 0  # bytes since the last event, those of whole lines
        self._held = 0  # bytes in _parts
        self._stored = 0  # bytes in _data
        self._after_cr, self._begun = False, False

    @property
    def pending(self) -> bool:
        """Whether an event has begun and not ended: at the end of a stream, it was cut."""
        return bool(self._data or self._held)

    def feed(self, piece: bytes) -> list[Event]:
        """The events that this piece ends. ValueError for one that grows beyond the limit."""
        if not piece:
            return []
        if self._after_cr and piece[0] == 10:
            piece, self._size = piece[1:], self._size + 1
            if not piece:
                self._after_cr = False
                return []
        self._after_cr = piece[-1] == 13
        if not self._begun and (piece := self._without_mark(piece)) is None:
            return []
        if b"\n" not in piece and b"\r" not in piece:
            self._hold(piece)
            return []
        return self._lines(piece)

    def _lines(self, piece: bytes) -> list[Event]:
        if self._parts:
            piece = b"".join((*self._parts, piece))
            self._parts.clear()
            self._held = 0
        # bytes.splitlines knows CR, LF and CRLF only; str.splitlines would split at U+2028 too.
        lines = piece.splitlines(keepends=True)
        if lines[-1][-1] not in (10, 13):
            self._hold(lines.pop())
        found = []
        for line in lines:
            self._size += len(line)
            text = line.rstrip(b"\r\n")
            if text:
                self._field(text)
            elif (event := self._end(line)) is not None:
                found.append(event)
        return found

    def _end(self, line: bytes) -> Event | None:
        late = line == b"\r\n"
        data, event, size = self._data, self._event, self._size - late
        self._event = b""
        if not data:
            return None
        self._data, self._stored, self._size = [], 0, int(late)
        return Event(_text(b"\n".join(data)), _text(event) or "message", _text(self._id), size)

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._stored += len(value)
            self._limit()
        elif name == b"event":
            self._event = value
        elif name == b"id" and b"\0" not in value:
            self._id = value
        elif name == b"retry" and value.isdigit():
            self.retry = int(value)

    def _hold(self, piece: bytes) -> None:
        self._parts.append(piece)
        self._held += len(piece)
        self._limit()

    def _limit(self) -> None:
        if self._stored + self._held > self._largest:
            raise ValueError(f"an event of more than {self._largest:,} bytes")

    def _without_mark(self, piece: bytes) -> bytes | None:
        """The first piece without its byte order mark; None while it may still become one."""
        whole, mark = b"".join((*self._parts, piece)), b"\xef\xbb\xbf"
        self._parts.clear()
        self._held = 0
        if len(whole) < len(mark) and mark.startswith(whole):
            self._hold(whole)
            return None
        self._begun = True
        if whole.startswith(mark):
            self._size += len(mark)
            whole = whole[len(mark) :]
        return whole or None


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
