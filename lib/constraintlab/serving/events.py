"""Server-sent events of one answer, preformatted: only its text is new in each."""

from __future__ import annotations

import json
from typing import NamedTuple

from msgspec.json import encode

from constraintlab.engine.ledger import Bill

DONE = b"data: [DONE]\n\n"
SEPARATORS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}
"""Line ends to Unicode, not to SSE: readers that split lines as Unicode does would cut there."""


def quote(text: str) -> bytes:
    """A JSON string without line ends of any kind."""
    if text.isascii():
        return encode(text)
    return encode(text).decode().translate(SEPARATORS).encode()


class Usage(NamedTuple):
    """Tokens of a request so far."""

    prompt: int
    completion: int

    @property
    def json(self) -> dict[str, int]:
        """As OpenAI writes it."""
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
        }


def timings(bill: Bill | None) -> dict[str, dict[str, float]]:
    """A bill as fields beside an answer's usage: milliseconds by cause (`engine.ledger.CAUSES`).

    After llama.cpp's server, whose answers and last chunks have times of its own in `timings`
    (tools/server/README.md there); who does not know the fields passes over them.
    """
    if bill is None:
        return {}
    fields = {"timings": bill.whole, "timings_to_first_token": bill.first}
    return {
        name: {cause: round(1e3 * seconds, 3) for cause, seconds in part.items()}
        for name, part in fields.items()
    }


class Events:
    """Makes the events of one streamed answer.

    usage: an event with the tokens' counts ends the answer, as `stream_options.include_usage` asks
    for; running: every event has them so far (vLLM's `continuous_usage_stats`).
    """

    def __init__(
        self, id_: str, model: str, created: int, *, chat: bool, usage: bool, running: bool
    ) -> None:
        kind = "chat.completion.chunk" if chat else "text_completion"
        about = {"id": id_, "object": kind, "created": created, "model": model}
        self._about, self._usage, self._running = about, usage, running
        opening = b"data: " + encode(about)[:-1]
        choice = b',"choices":[{"index":0,'
        self._open = opening
        self._start = opening + choice + (b'"delta":{"content":' if chat else b'"text":')
        self._first = (
            opening + choice + b'"delta":{"role":"assistant","content":' if chat else self._start
        )
        self._middle = (b"}" if chat else b"") + b',"logprobs":null,"finish_reason":'
        # The prompt's usage event is told apart by every other event's null.
        self._close = b'}],"usage":null}\n\n' if usage and not running else b"}]}\n\n"
        self._end = self._middle + b"null" + self._close

    def text(self, text: str, usage: Usage | None = None) -> bytes:
        """An event with more text. usage: where every event has it."""
        start, self._first = self._first, self._start
        if self._running:
            return start + quote(text) + self._middle + b"null" + self._counted(usage)
        return start + quote(text) + self._end

    def end(self, text: str, reason: str, usage: Usage, bill: Bill | None = None) -> bytes:
        """The last event with text, the usage and timings where it was asked for, and the end."""
        close = self._counted(usage) if self._running else self._close
        found = [self._first, quote(text), self._middle, encode(reason), close]
        if self._usage:
            counted = {"choices": [], "usage": usage.json, **timings(bill)}
            found += [self._open, b",", encode(counted)[1:], b"\n\n"]
        return b"".join((*found, DONE))

    def _counted(self, usage: Usage) -> bytes:
        return b'}],"usage":' + encode(usage.json) + b"}\n\n"


def error_event(message: str, type_: str, code: str) -> bytes:
    """What ends a stream that can't go on; no [DONE] follows, since it is not done."""
    error = {"message": message, "type": type_, "param": None, "code": code}
    return b"data: " + json.dumps({"error": error}).encode() + b"\n\n"
