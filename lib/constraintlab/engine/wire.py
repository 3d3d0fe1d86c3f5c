"""Messages between an engine's process and whoever started it: pickles, each after its length."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

_LENGTH = struct.Struct("<I")


class Facts(NamedTuple):
    """What an engine says of itself once it is built: what its pool and its model take.

    longest: tokens of a request, prompt and answer together. vocab: token ids are below it.
    """

    units: int
    block_size: int
    slots: int
    longest: float
    vocab: int


class Tick(NamedTuple):
    """A step beside its tokens: when it began (`time.monotonic`), the requests that it admitted,
    the tokens that it computed, how many were preempted, and the engine after it. kv: (capacity,
    reserved, used) in tokens."""

    began: float
    admitted: Sequence[int]
    tokens: int
    preempted: int
    running: int
    waiting: int
    kv: tuple[int, int, int]


def pack(message: object) -> bytes:
    """A message as it goes over the pipe."""
    data = pickle.dumps(message, protocol=5)
    return _LENGTH.pack(len(data)) + data


def receive(source: BinaryIO) -> Any:
    """The next message; waits for it. EOFError at the end, in mid-message too."""
    head = source.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (n,) = _LENGTH.unpack(head)
    data = source.read(n)
    if len(data) < n:
        raise EOFError
    return pickle.loads(data)


class Splitter:
    """Messages out of bytes that come as they come, for a reader that must not wait."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> Iterator[Any]:
        """The messages that are whole with these bytes."""
        data = self._held + data if self._held else data
        at, size = 0, _LENGTH.size
        while len(data) - at >= size:
            (n,) = _LENGTH.unpack_from(data, at)
            if len(data) - at - size < n:
                break
            at += size + n
            yield pickle.loads(memoryview(data)[at - n : at])
        self._held = data[at:]
