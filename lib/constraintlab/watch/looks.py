"""`Looker`: one look after another at a server's /metrics, each as a `Sample`.

Beside the values of `server_metrics.RULES` a look has what a window of many looks is put together
from: `look.span_s`, the seconds that its rates and means are over; `NAME.le.BOUND`, a histogram's
observations in that time, where there are any; and `NAME@ENGINE`, a gauge's parts where several
engines or replicas tell it. A look that failed has every value absent, and says why.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from constraintlab.telemetry.exposition import Labels, Scrape, observed
from constraintlab.telemetry.metrics_source import MetricsSource, fetch
from constraintlab.telemetry.sample import Sample
from constraintlab.telemetry.server_metrics import HISTOGRAMS, KV, RUNNING, WAITING
from constraintlab.telemetry.source import FIRST, Reading

SPAN = "look.span_s"

APART = ("engine", "dp_rank", "instance", "pod", "worker", "model_name", "name", "engine_type")
"""Labels that tell engines, replicas and models from each other."""

PARTS = {"server.running": RUNNING, "server.waiting": WAITING, "server.kv_used_share": KV}

FAMILIES = {"constraintlab": "constraintlab:", "vllm": "vllm:", "sglang": "sglang:"}
"""Servers by what their metrics begin with, the most telling first: ours has vLLM's names too."""


class Looker:
    """url: of the server, or of its metrics. key: sent as a bearer token. clock: seconds.

    scrapes: the first and the newest that came through. failure: why the newest look failed.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        timeout: float = 5.0,
        fetch: Callable[[str, float], str] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.fetch, self.timeout = fetch or partial(_fetch, key=key), timeout
        self._source = MetricsSource(url, timeout=timeout, fetch=self.fetch, clock=clock)
        self.clock, self._start = clock, clock()
        self.last: Scrape | None = None
        self.failure: str = ""

    @property
    def url(self) -> str:
        """Of the metrics."""
        return self._source.url

    @property
    def now(self) -> float:
        """Seconds since it was made."""
        return self.clock() - self._start

    @property
    def family(self) -> str:
        """`constraintlab`, `vllm` or `sglang`; empty for another, or before a scrape."""
        names = [*self.last.series, *self.last.declared] if self.last else []
        known = (f for f, prefix in FAMILIES.items() if any(n.startswith(prefix) for n in names))
        return next(known, "")

    def look(self) -> Sample:
        """Ask the server now."""
        before = self.last
        scrape, readings = self._source.scrape(before)
        came = scrape is not before
        self.failure = "" if came else next(iter(readings.values())).source.removeprefix("n/a: ")
        span = Reading.absent(FIRST if came else self.failure)
        if came and before is not None and scrape.t > before.t:
            span = Reading.measured(scrape.t - before.t)
        readings = {**readings, SPAN: span}
        if came:
            self.last = scrape
            readings |= parts(scrape)
            readings |= buckets(before, scrape) if before is not None else {}
        return Sample(
            self.now,
            {n: r.value for n, r in readings.items()},
            {n: r.source for n, r in readings.items()},
        )


def buckets(before: Scrape, after: Scrape) -> dict[str, Reading]:
    """What every histogram observed in between, by bucket."""
    found = {}
    for name, theirs in HISTOGRAMS.items():
        seen = (observed(before, after, n) for n in theirs)
        counts = next((c for c in seen if c is not None), {})
        bounds = sorted(counts)
        # The empty bucket below a filled one says where that one begins.
        kept = [i for i, b in enumerate(bounds) if any(counts[b] > 0 for b in bounds[i : i + 2])]
        found |= {f"{name}.le.{bounds[i]:g}": Reading.measured(counts[bounds[i]]) for i in kept}
    return found


def parts(scrape: Scrape) -> dict[str, Reading]:
    """Gauges by engine, where more than one tells them."""
    found = {}
    for name, theirs in PARTS.items():
        series = next((scrape.series[n] for n in theirs if scrape.series.get(n)), {})
        told: dict[str, float] = {}
        for labels, value in series.items():
            told[part(labels)] = told.get(part(labels), 0.0) + value
        if len(told) > 1:
            found |= {f"{name}@{p}": Reading.measured(v) for p, v in told.items()}
    return found


def part(labels: Labels) -> str:
    """Which engine or replica a series is of: `engine=1`."""
    own = dict(labels)
    return ",".join(f"{k}={own[k]}" for k in APART if k in own)


def _fetch(url: str, timeout: float, key: str | None) -> str:
    return fetch(url, timeout, {"Authorization": f"Bearer {key}"} if key else {})
