"""What OpenAI's streams say: the text of a chunk, its usage, an error; and tokens per event."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec


class Delta(msgspec.Struct):
    """Of a chat's chunk. Servers name a reasoning model's thoughts in two ways."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class Choice(msgspec.Struct):
    text: str | None = None
    delta: Delta | None = None
    finish_reason: str | None = None

    @property
    def written(self) -> str:
        """The new text."""
        if self.delta is None:
            return self.text or ""
        delta = self.delta
        return (delta.reasoning_content or delta.reasoning or "") + (delta.content or "")


class Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Chunk(msgspec.Struct):
    """One `data:` line. error: an object or a string, as servers differ; timings and
    timings_to_first_token: of any shape, for `waits` to look at."""

    choices: list[Choice] = []
    usage: Usage | None = None
    error: Any = None
    timings: Any = None
    timings_to_first_token: Any = None

    @property
    def written(self) -> str:
        """The new text of the first answer."""
        return self.choices[0].written if self.choices else ""

    @property
    def finish(self) -> str:
        """Why the answer ended; empty before."""
        return (self.choices[0].finish_reason or "") if self.choices else ""


DONE = "[DONE]"
_decoder = msgspec.json.Decoder(Chunk)


def read(data: str) -> Chunk:
    """A chunk from an event's data; ValueError for what is none."""
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{error}: {data[:80]!r}") from None


def complaint(body: object) -> str:
    """The message of an error's body or of an `error` field, in one line of at most 300 letters."""
    found = body
    if isinstance(body, bytes):
        found = body.decode("utf-8", "replace")
        with suppress(msgspec.MsgspecError):
            found = msgspec.json.decode(body)
    for key in ("error", "message", "detail"):
        if isinstance(found, dict) and found.get(key):
            found = found[key]
    return " ".join(str(found).split())[:300]


def share(letters: Sequence[int], total: int) -> list[int]:
    """How many of `total` tokens each event carried, from the letters of its text.

    Exact where each event with text carries one, and where each token is one letter; else in
    proportion to the letters, at least one for each event with text while there are enough.
    """
    texts = sum(n > 0 for n in letters)
    if total == texts:
        return [int(n > 0) for n in letters]
    if total < texts:
        least, whole = 0, total
    else:
        least, whole = 1, total - texts
    weights = [n - least if n else 0 for n in letters]
    every, done, given, found = sum(weights) or 1, 0, 0, []
    for n, weight in zip(letters, weights, strict=True):
        done += weight
        upto = whole * done // every
        found.append((least if n else 0) + upto - given)
        given = upto
    if texts:
        # Letters that are all ones have no weight: what is left came with the last text.
        last = max(i for i, n in enumerate(letters) if n)
        found[last] += whole - given
    return found
