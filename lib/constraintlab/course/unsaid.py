"""`Unsaid`: a cell's output without what Ray says of its own end."""

from __future__ import annotations


class Unsaid:
    """A stream without what Ray prints of its own end, in whichever cell runs: that it will try its
    dead controller for ever. All else passes."""

    def __init__(self, stream) -> None:
        self._stream = stream

    def __getattr__(self, name: str):
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """See `io.TextIOBase`."""
        return len(text) if "(raylet)" in text else self._stream.write(text)
