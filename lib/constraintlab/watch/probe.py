"""`Probe`: a few small streamed requests, for what a server can't see of its own tokens.

A server's time between two tokens ends at its engine (vLLM) or in its front end (SGLang); what
comes after, other processes, proxies, the network, only a client sees. So one asks a little and
measures: time to first token, time between tokens, how many of them come together, and how late the
probe itself was. It adds at most `rate` · `OUTPUT` tokens/s, and says how many it did.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice
from random import Random
from typing import NamedTuple

from constraintlab.load import preflight
from constraintlab.load.ask import Ask
from constraintlab.load.client import Client
from constraintlab.load.preflight import Trouble
from constraintlab.load.record import Record
from constraintlab.load.target import Target
from constraintlab.load.text import Text
from constraintlab.telemetry.names import under
from constraintlab.telemetry.source import Reading, all_absent

RATE = 0.5
"""Requests a second, after the first few."""

OUTPUT, PROMPT = 32, 16
"""Tokens of an answer and of a prompt."""

EAGER, SOON = 3, 0.3
"""So many requests come at first, so many seconds apart: a short watch must see something."""

TIMEOUT = 30.0
"""Seconds after which a probe's request is given up."""

TOGETHER = 0.1
"""Of the mean gap: a token that comes sooner after the one before came together with it."""

NAMES = under("probe")


class Form(NamedTuple):
    """A way to ask: of chat or of completions, in words or digits, `ignore_eos` or not."""

    chat: bool
    text: str
    exact: bool


FORMS = (
    Form(False, "words", True),
    Form(False, "digits", True),
    Form(True, "words", True),
    Form(False, "words", False),
    Form(True, "words", False),
)
"""Tried in turn until the server accepts one."""


class Probe:
    """Runs in a thread of its own from `start` to `close`. `read` gives what ended since it was
    called last; where there is no API to ask, every value is absent and says why."""

    name = "probe"

    def __init__(
        self, url: str, model: str | None = None, key: str | None = None, rate: float = RATE
    ) -> None:
        if not 0 < rate <= 10:
            raise ValueError(f"rate={rate}: give the probe more than 0 and at most 10 requests/s")
        self.url, self.model, self.key, self.rate = url, model, key, rate
        self.why = "the probe has not begun"
        self._client: Client | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ended: list[Record] = []
        self._last: Record | None = None
        self._stopped = False

    def start(self) -> Probe:
        """Begin to ask."""
        self._thread = threading.Thread(target=self._run, name="constraintlab-probe", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Hang up; may be called twice."""
        self._stopped = True
        if self._client is not None and self._loop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._client.stop)
        if self._thread is not None:
            self._thread.join(5.0)

    def read(self) -> dict[str, Reading]:
        """Every name of `NAMES`, over what ended since the last call."""
        loop, client = self._loop, self._client
        if client is None or loop is None or not loop.is_running():
            return all_absent(NAMES, self.why)
        try:
            return asyncio.run_coroutine_threadsafe(self._read(client), loop).result(2.0)
        except (TimeoutError, RuntimeError):
            return all_absent(NAMES, "the probe's own loop does not answer")

    async def _read(self, client: Client) -> dict[str, Reading]:
        ended, self._ended = self._ended, []
        now = client.counters()
        mute = [a for a in client.lanes() if not a.ended and a.spans[-1][0] != "decode"]
        waits = [client.now - lane.spans[0][1] for lane in mute]
        found = summary(ended, max(waits, default=0.0))
        found["probe.open"] = Reading.measured(now.open)
        found["probe.lag_s"] = Reading.measured(now.lag)
        return found

    def _run(self) -> None:
        try:
            asyncio.run(self._probe())
        except Trouble as trouble:
            self.why = f"no probe: {trouble}"
        except Exception as error:  # the watch goes on without it, and says so
            self.why = f"the probe ended: {type(error).__name__}: {error}"
        finally:
            self._client = None

    async def _probe(self) -> None:
        self._loop = asyncio.get_running_loop()
        found = await preflight.model(self.url, self.model, self.key)
        form = await self._form(found.name)
        if form is not None:
            await self._ask(found.name, form, self._asks(form), self._heard)
        self.why = "the probe has ended"

    async def _form(self, model: str) -> Form | None:
        """The first way to ask that the server accepts, one request at a time; None once closed."""
        forms = deque(FORMS)
        while not self._stopped:
            self._last = None
            await self._ask(model, forms[0], islice(self._asks(forms[0]), 1), self._first)
            last = self._last
            if last is None or last.status == "cancelled":
                return None
            if last.status == "error" and last.error[:1] == "4" and len(forms) > 1:
                forms.popleft()
                continue
            self._heard(last)
            if last.ok:
                return forms[0]
            await asyncio.sleep(1 / self.rate)
        return None

    def _first(self, record: Record) -> None:
        self._last = record

    async def _ask(
        self,
        model: str,
        form: Form,
        asks: Iterable[Ask],
        heard: Callable[[Record], object],
    ) -> None:
        target = Target(self.url, model, form.chat, self.key, TIMEOUT)
        self._client = Client(target, heard)
        if not self._stopped:
            await self._client.run(asks)

    def _asks(self, form: Form) -> Iterator[Ask]:
        random, text = Random(), Text(form.text)
        for index in count():
            at = SOON * min(index, EAGER) + max(0, index - EAGER) / self.rate
            yield Ask(index, at, text.make(PROMPT, random), OUTPUT, PROMPT, exact=form.exact)

    def _heard(self, record: Record) -> None:
        if record.status != "cancelled":
            self._ended.append(record)


def summary(records: list[Record], waits: float = 0.0) -> dict[str, Reading]:
    """What these records say. waits: seconds that the oldest open request has had no token."""
    good = [r for r in records if r.ok and r.ttft is not None]
    gaps = sum(r.output_tokens - 1 for r in good)
    streaming = sum(r.last - r.first for r in good)
    none = "no probe has ended since the last look"
    firsts = [r.ttft for r in good]
    return {
        "probe.ttft_s": _mean(sum(firsts), len(good), none),
        "probe.ttft_max_s": Reading.measured(max([waits, *firsts])),
        "probe.itl_s": _mean(streaming, gaps, none),
        "probe.gaps": Reading.measured(gaps),
        "probe.bunched_share": _mean(sum(map(_together, good)), gaps, none),
        "probe.tokens": Reading.measured(sum(r.output_tokens for r in records)),
        "probe.ended": Reading.measured(len(good)),
        "probe.failed": Reading.measured(len(records) - len(good)),
        "probe.open": Reading.absent(none),
        "probe.delay_s": Reading.measured(max((r.delay for r in records), default=0.0)),
        "probe.lag_s": Reading.absent(none),
    }


def _mean(total: float, many: int, none: str) -> Reading:
    return Reading.measured(total / many) if many else Reading.absent(none)


def _together(record: Record) -> int:
    """Tokens that came with the one before: in its event, or at once after it."""
    usual = TOGETHER * (record.last - record.first) / max(1, record.output_tokens - 1)
    found, before = 0, None
    for time, tokens, _ in record.events:
        if tokens:
            found += tokens - 1 + (before is not None and time - before < usual)
            before = time
    return found
