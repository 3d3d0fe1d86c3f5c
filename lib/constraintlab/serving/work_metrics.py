"""What the engine counts, in /metrics: from two scrapes a verdict's kernels and stages follow."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from constraintlab.serving.totals import Totals

STATES = ("capacity", "reserved", "used")


def engine_work(totals: Totals) -> Iterator[Metric]:
    """Counters of `engine.report.Report`, at the moment of its last report.

    Between a restart and the new engine's first report the sums so far stay: a counter that was
    missing for a moment would seem to grow by all of them.
    """
    report = totals.report
    done = CounterMetricFamily(
        "constraintlab:engine", "Counters of the engine's report, by name.", labels=["of"]
    )
    work = CounterMetricFamily(
        "constraintlab:kernel_work",
        "FLOPs, bytes and fresh bytes of counted steps, paid once a step or by sequences.",
        labels=["kernel", "unit", "of"],
    )
    for name in totals.names:
        done.add_metric([name], totals[name])
    if report is None:
        yield from (done, work)
        return
    for name, counted in report.work.items():
        for of, value in counted._asdict().items():
            if of != "unit":
                work.add_metric([name, counted.unit, of], value)
    pool = GaugeMetricFamily("constraintlab:kv_tokens", "Of the KV pool.", labels=["state"])
    for state, tokens in zip(STATES, report.kv, strict=True):
        pool.add_metric([state], tokens)
    reported = GaugeMetricFamily(
        "constraintlab:engine_report_seconds", "When that was, by this machine's steady clock."
    )
    reported.add_metric([], report.now)
    clock = GaugeMetricFamily("constraintlab:clock_seconds", "That clock at this scrape.")
    clock.add_metric([], time.monotonic())
    passes = CounterMetricFamily(
        "constraintlab:forward_passes", "As a CUDA graph or eagerly, and why.", labels=["how"]
    )
    for how, times in report.passes.items():
        passes.add_metric([how], times)
    device = GaugeMetricFamily(
        "constraintlab:engine_device", "Where the kernels run.", labels=["name"]
    )
    device.add_metric([report.device], 1)
    yield from (done, work, pool, reported, clock, passes, device)
