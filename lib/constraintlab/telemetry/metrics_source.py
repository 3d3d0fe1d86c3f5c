"""`MetricsSource`: a server's `/metrics` as telemetry, ours, vLLM's or SGLang's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from constraintlab.telemetry import server_metrics
from constraintlab.telemetry.exposition import Scrape
from constraintlab.telemetry.source import Reading, all_absent

THREAD = "constraintlab-metrics"
LARGEST = 16 << 20
"""Bytes of an answer beyond which it is no /metrics."""

TOOK, AGE = "server.scrape_s", "server.scrape_age_s"
NAMES = (*server_metrics.RULES, TOOK)
UNASKED = "the server has not answered yet"


def fetch(url: str, timeout: float, headers: Mapping[str, str] | None = None) -> str:
    """The text at a URL, all of it within `timeout` seconds. Raises OSError or ValueError."""
    end = time.monotonic() + timeout
    # A proxy meant for the internet knows nothing of a server on this machine.
    here = urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
    opener = build_opener(*([ProxyHandler({})] if here else []))
    with opener.open(
        Request(url, headers={"Accept": "text/plain", **(headers or {})}), timeout=timeout
    ) as answer:
        text = bytearray()
        while part := answer.read1(1 << 16):
            text += part
            if time.monotonic() > end:
                raise TimeoutError
            if len(text) > LARGEST:
                raise ValueError(f"over {LARGEST >> 20} MB")
    return text.decode()


class MetricsSource:
    """Asks `url` every `every` seconds, in a thread of its own, and gives up after `timeout`.

    `/metrics` is added to a URL without a path. Rates and means are taken between the last two
    scrapes that came through; counters that were reset, by a server that restarted, begin at 0.
    What the server does not report is absent and says so, and while it does not answer every
    value is absent and says why. `fetch` (url, timeout) and `clock` are passed in by tests.
    """

    name = "server"

    def __init__(
        self,
        url: str,
        *,
        every: float = 0.5,
        timeout: float = 2.0,
        fetch: Callable[[str, float], str] = fetch,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address of a server: give http://host:port")
        if not every > 0 or not timeout > 0:
            raise ValueError(f"every={every}, timeout={timeout}: give seconds above 0")
        self.url = url if parts.path.strip("/") else f"{parts.scheme}://{parts.netloc}/metrics"
        self.every, self.timeout = every, timeout
        self._fetch, self._clock = fetch, clock
        self._asking: _Asking | None = None

    def read(self) -> Mapping[str, Reading]:
        if self._asking is None:
            self._asking = _Asking(self)
        asking = self._asking
        age = Reading.absent(UNASKED)
        if asking.answered is not None:
            age = Reading.measured(max(0.0, self._clock() - asking.answered))
        return {**asking.readings, AGE: age}

    def close(self) -> None:
        """End the thread; it may still wait for an answer that nobody will read."""
        if self._asking is not None:
            self._asking.stopping.set()
        self._asking = None

    def scrape(self, before: Scrape | None) -> tuple[Scrape | None, dict[str, Reading]]:
        """Ask once, in this thread: (the scrape to take the next interval from, all values)."""
        began = self._clock()
        try:
            text = self._fetch(self.url, self.timeout)
            took = self._clock() - began
            # The server counts at some moment in between; the middle is off by half at most.
            now = Scrape.of(text, began + took / 2)
        except Exception as error:  # whatever a server sends, the next scrape must come
            return before, all_absent(NAMES, f"{self.url} {_why(error, self.timeout)}")
        return now, {**server_metrics.read(before, now), TOOK: Reading.measured(took)}


class _Asking:
    """The thread of one source from its first read until it is closed."""

    def __init__(self, source: MetricsSource) -> None:
        self.readings = all_absent(NAMES, UNASKED)
        self.answered: float | None = None
        self.stopping = threading.Event()
        threading.Thread(target=self._run, args=(source,), name=THREAD, daemon=True).start()

    def _run(self, source: MetricsSource) -> None:
        last: Scrape | None = None
        while not self.stopping.is_set():
            began = source._clock()
            now, self.readings = source.scrape(last)
            if now is not last:
                last, self.answered = now, now.t
            self.stopping.wait(max(0.0, source.every - (source._clock() - began)))


def _why(error: Exception, timeout: float) -> str:
    """What is wrong with an answer, after the URL."""
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(error, HTTPError):
        return f"answers {error.code} {error.reason}"
    if isinstance(reason, TimeoutError):
        return f"does not answer within {timeout:g} s"
    if isinstance(error, OSError | HTTPException):
        return f"does not answer: {' '.join(str(reason).split()) or type(error).__name__}"
    return f"does not speak Prometheus: {' '.join(str(error).split())[:120]}"
