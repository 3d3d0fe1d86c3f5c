"""One request: sent, its stream read to the end, and whatever happens made into a `Record`."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

import aiohttp

from constraintlab.load import chunks
from constraintlab.load.ask import Ask
from constraintlab.load.record import Record
from constraintlab.load.sse import Parser
from constraintlab.load.tally import Tally
from constraintlab.load.target import Target

ERROR_BYTES = 65_536
"""Of an error's body, read to find its message."""

LONGEST_WAIT = 60.0
"""Seconds that a Retry-After can ask for."""


class Stream:
    """A request under way. `read` ends with a record, never with an exception of the request's.

    clock: seconds of the run. rest: called after every read with its bytes; what it gives is
    awaited, so a slow reader takes its time there. heard: called with new tokens.
    """

    def __init__(
        self,
        ask: Ask,
        target: Target,
        scheduled: float,
        clock: Callable[[], float],
        rest: Callable[[int], Awaitable[None] | None] = lambda n: None,
        heard: Callable[[int], object] = lambda n: None,
    ) -> None:
        self.ask, self.target, self.scheduled = ask, target, scheduled
        self._clock, self._rest, self._heard = clock, rest, heard
        self.sent = self.answered = self.ended = None
        self._tally, self._parser = Tally(ask, target.cancel_after), Parser()
        self._received = self._held = 0

    @property
    def first(self) -> float | None:
        """When its first token came."""
        return self._tally.first

    async def read(self, session: aiohttp.ClientSession) -> Record:
        """Send the request and read its answer to the end."""
        self.sent = self._clock()
        try:
            async with asyncio.timeout(self.target.timeout):
                status, why = await self._tries(session)
        except TimeoutError:
            status, why = "timeout", f"not done after {self.target.timeout:g} s"
        except asyncio.CancelledError:
            status, why = "cancelled", "the run was stopped"
        except (aiohttp.ClientConnectorError, ssl.SSLError) as error:
            status, why = "error", f"no connection: {error}"
        except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, OSError) as error:
            status, why = "cut", f"connection cut: {error or type(error).__name__}"
        except Exception as error:  # one request's trouble, whatever it is, must not end the run
            status, why = "error", f"{type(error).__name__}: {error}"
        self.ended = self._clock()
        return self._tally.record(
            status, why, scheduled=self.scheduled, sent=self.sent, ended=self.ended,
            received=self._received,
        )  # fmt: skip

    async def _tries(self, session: aiohttp.ClientSession) -> tuple[str, str]:
        left = self.target.retries
        while True:
            status, why, wait = await self._try(session)
            if status != "rejected" or not left:
                return status, why
            left -= 1
            await asyncio.sleep(wait)

    async def _try(self, session: aiohttp.ClientSession) -> tuple[str, str, float]:
        """(status, reason, seconds to wait before another try)."""
        target = self.target
        asked = session.post(
            target.endpoint, data=target.body(self.ask), headers=target.headers
        )  # fmt: skip
        async with asked as answer:
            self.answered = self._clock()
            if answer.status != 200:
                body = await answer.content.read(ERROR_BYTES)
                why = f"{answer.status} {answer.reason}: {chunks.complaint(body)}"
                status = "rejected" if answer.status == 429 else "error"
                return status, why, _wait(answer.headers.get("Retry-After", ""))
            if answer.content_type != "text/event-stream":
                return "error", f"no stream of events but {answer.content_type}", 0.0
            try:
                status, why = await self._events(answer)
            finally:
                # After [DONE] there is nothing to wait for, and who hangs up does so at once.
                answer.close()
            return status, why, 0.0

    async def _events(self, answer: aiohttp.ClientResponse) -> tuple[str, str]:
        tally, content = self._tally, answer.content
        framed = answer.headers.get("Transfer-Encoding", "").lower() == "chunked"
        while not tally.done:
            piece, ends = await content.readchunk()
            now = self._clock()
            if not piece and not ends:
                break
            self._count(len(piece), framed and ends)
            before = tally.tokens
            for event in self._parser.feed(piece):
                ended = tally.take(event, now)
                if ended:
                    return ended
            if tally.tokens != before:
                self._heard(tally.tokens - before)
            rest = self._rest(len(piece))
            if rest is not None:
                await rest
        if tally.done or (tally.finish and not self._parser.pending):
            return "ok", ""
        return "cut", "the stream ended before [DONE]"

    def _count(self, n: int, ends: bool) -> None:
        self._received += n
        self._held += n
        if ends:
            # An HTTP chunk is its length in hexadecimal, CRLF, the bytes, CRLF.
            self._received += len(f"{self._held:x}") + 4
            self._held = 0


def _wait(header: str) -> float:
    return min(float(header), LONGEST_WAIT) if header.isdecimal() else 1.0
