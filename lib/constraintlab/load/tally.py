"""`Tally`: an answer's events as they come, and the tokens, times and text that they add up to."""

from __future__ import annotations

from array import array

from constraintlab.load import chunks
from constraintlab.load.ask import Ask
from constraintlab.load.record import Events, Record
from constraintlab.load.sse import Event
from constraintlab.load.waits import waits


class Tally:
    """Of one request. first: when the first token came that is not empty; last: the last one.

    tokens: as counted so far, one an event unless the server says more. done: `[DONE]` came.
    """

    def __init__(self, ask: Ask, cancel_after: int | None = None) -> None:
        self.ask = ask
        self.first: float | None = None
        self.last: float | None = None
        self.tokens, self.done, self.finish = 0, False, ""
        self._cancel_after = cancel_after
        self._events, self._letters, self._text = Events(), array("I"), []
        self._usage, self._timings = chunks.Usage(), (None, None)

    def take(self, event: Event, now: float) -> tuple[str, str] | None:
        """(status, reason) if this event ends the request before its end, else None."""
        self._events.add(now, 0, event.bytes)
        self._letters.append(0)
        if event.data == chunks.DONE:
            self.done = True
            return None
        try:
            chunk = chunks.read(event.data)
        except ValueError as error:
            return "error", f"malformed event: {error}"
        if chunk.error is not None:
            return "error", f"error event: {chunks.complaint(chunk.error)}"
        self._usage = chunk.usage or self._usage
        if chunk.timings is not None:
            self._timings = chunk.timings, chunk.timings_to_first_token
        self.finish = chunk.finish or self.finish
        text = chunk.written
        if text:
            self._wrote(text, chunk.usage, now)
        if self._cancel_after and self.tokens >= self._cancel_after:
            return "cancelled", f"hung up after {self.tokens} tokens"
        return None

    def _wrote(self, text: str, usage: chunks.Usage | None, now: float) -> None:
        self._letters[-1] = len(text)
        self.first = now if self.first is None else self.first
        self.last = now
        if self.ask.answer is not None:
            self._text.append(text)
        known = usage.completion_tokens if usage else None
        self.tokens = known if known is not None else self.tokens + 1

    def record(
        self,
        status: str,
        error: str,
        *,
        scheduled: float,
        sent: float,
        ended: float,
        received: int,
    ) -> Record:
        """What became of the request; call it once, at its end."""
        counted = self._usage.completion_tokens is not None
        output = self._usage.completion_tokens if counted else self.tokens
        self._events.tokens = array("I", chunks.share(self._letters, output))
        right = None
        if status == "ok" and self.ask.answer is not None:
            right = "".join(self._text) == self.ask.answer
        last = ended if self.last is None else self.last
        whole, first = self._timings
        return Record(
            index=self.ask.index,
            scheduled=scheduled,
            sent=sent,
            first=self.first,
            last=last,
            events=self._events,
            prompt_tokens=self._usage.prompt_tokens or self.ask.tokens,
            output_tokens=output,
            status=status,
            error=error,
            received=received,
            finish=self.finish,
            right=right,
            counted=counted,
            waited=waits(whole, last - sent),
            waited_first=waits(first, None if self.first is None else self.first - sent),
        )
