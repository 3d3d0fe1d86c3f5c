"""What a streaming server can't be faster than: asyncio sockets that write bytes made beforehand.

`python -m constraintlab.bench.bare` reads a pickled answer, as pieces of one event each, from
stdin, says its port, and writes it to whoever connects, an event to each stream in turn, on the
same event loop that our server has.
"""

from __future__ import annotations

import asyncio
import pickle
import sys
from collections.abc import Sequence

import uvloop

HIGH = 0
"""Bytes that may wait for a stream: none. With a buffer, a reader that falls behind would make many
events one write, and what is compared is one write an event."""


class Peer(asyncio.Protocol):
    """A connection: it wants an answer as soon as its request's head has come."""

    def __init__(self, bare: Bare) -> None:
        self._bare = bare
        self.writing = asyncio.Event()
        self.writing.set()

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Remember where to write."""
        self.transport = transport
        transport.set_write_buffer_limits(HIGH)

    def data_received(self, data: bytes) -> None:
        """The request; what it asks for is known."""
        self._bare.asked(self)

    def pause_writing(self) -> None:
        """The reader is slow."""
        self.writing.clear()

    def resume_writing(self) -> None:
        """It is not any more."""
        self.writing.set()


class Bare:
    """Waits for `streams` requests, then answers all of them with the same pieces."""

    def __init__(self, pieces: Sequence[bytes], streams: int) -> None:
        self._pieces, self._streams = pieces, streams
        self._peers: list[Peer] = []
        self._task: asyncio.Task | None = None

    def asked(self, peer: Peer) -> None:
        """One more has asked."""
        self._peers.append(peer)
        if len(self._peers) == self._streams:
            peers, self._peers = self._peers, []
            self._task = asyncio.ensure_future(self._answer(peers))

    async def _answer(self, peers: Sequence[Peer]) -> None:
        for piece in self._pieces:
            for peer in peers:
                if not peer.writing.is_set():
                    await peer.writing.wait()
                peer.transport.write(piece)
            # A turn of the loop, which hands to the kernel what was written.
            await asyncio.sleep(0)
        for peer in peers:
            peer.transport.close()


async def serve(pieces: Sequence[bytes], streams: int) -> None:
    """Until stdin ends."""
    loop = asyncio.get_running_loop()
    bare = Bare(pieces, streams)
    server = await loop.create_server(lambda: Peer(bare), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.buffer.read)
    server.close()


def main() -> None:
    """As the module says."""
    job = pickle.load(sys.stdin.buffer)
    uvloop.run(serve(job["pieces"], job["streams"]))


if __name__ == "__main__":
    main()
