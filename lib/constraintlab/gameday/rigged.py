"""An engine with a fault in one of its own parts: `Rigged`, a setup that builds it so."""

from __future__ import annotations

import time
from dataclasses import dataclass

from constraintlab.engine.kv.paged import PagedKV
from constraintlab.engine.kv.store import KVStore
from constraintlab.engine.request import Request
from constraintlab.engine.setup import Setup
from constraintlab.engine.voice import Speech, Voice

KEPT = 8
"""One block of so many a leak leaves: the few requests that fit then get less done than comes, and
a queue grows."""


@dataclass(frozen=True)
class Rigged(Setup):
    """A setup whose engine is as told, but for: detokenise, core-seconds that each token's text
    costs more; leak, of so many blocks that are given back one is lost (0: none); renamed, whether
    the exporter of a `gameday.exporter.Server` tells the waiting under another name."""

    detokenise: float = 0.0
    leak: int = 0
    renamed: bool = False

    def store(self, max_length: int) -> KVStore:
        """See `Setup`."""
        if not self.leak:
            return super().store(max_length)
        return LeakyKV(self.blocks, self.block_size, self.leak)

    def voice(self, tokenizer, request: Request) -> Voice:
        """See `Setup`."""
        if not self.detokenise:
            return super().voice(tokenizer, request)
        return Voice(request, SlowSpeech(tokenizer.stream(), self.detokenise), self.interval)


class LeakyKV(PagedKV):
    """Of every `each` blocks that their last holder drops one is never idle again. It keeps as
    many as a request needs that fits what is left, or nobody could go on."""

    def __init__(self, n_blocks: int, block_size: int, each: int) -> None:
        super().__init__(n_blocks, block_size)
        self._each, self._dropped, self.lost = each, 0, 0

    def drop(self, block: int) -> bool:
        """See `PagedKV`."""
        last = super().drop(block)
        if last:
            self._dropped += 1
            if self._dropped % self._each == 0 and self.lost < self.units - self.units // KEPT:
                # In front of the idle ones lies what was dropped last.
                assert self.blocks.take() == block
                self.lost += 1
        return last


class SlowSpeech:
    """A decoder that spends so many core-seconds more on each token."""

    def __init__(self, speech: Speech, seconds: float) -> None:
        self._speech, self._seconds = speech, seconds

    def put(self, *tokens: int) -> str:
        """See `Speech`."""
        end = time.thread_time() + self._seconds * len(tokens)
        while time.thread_time() < end:
            pass
        return self._speech.put(*tokens)

    def finish(self) -> str:
        """See `Speech`."""
        return self._speech.finish()
