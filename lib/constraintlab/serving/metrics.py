"""/metrics: vLLM's names with vLLM's meanings, and our own for what a front end does to tokens."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from constraintlab.serving.counts import Histogram
from constraintlab.serving.front import Front
from constraintlab.serving.work_metrics import engine_work

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

STAGES = {"schedule": "schedule", "forward": "forward", "draw": "draw", "detokenise": "emit",
          "emit": "tell"}  # fmt: skip
"""Stages of the engine's process, and the totals of its reports that have their seconds."""


def exposition(front: Front) -> bytes:
    """Prometheus' text of a front end at this moment."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector(front))
    return generate_latest(registry)


class Collector:
    """Turns a front end's counters into metrics when they are asked for."""

    def __init__(self, front: Front) -> None:
        self._front = front

    def collect(self) -> Iterator[Metric]:
        """Every metric."""
        yield from self._engine()
        yield from self._requests()
        yield from self._host()
        yield from self._streams()
        yield from engine_work(self._front.totals)

    def _engine(self) -> Iterator[Metric]:
        front = self._front
        running, waiting, (capacity, reserved, _) = front.engine_now()
        facts, setup = front.backend.facts, front.setup
        yield self._gauge("vllm:num_requests_running", "Requests that run.", running)
        yield self._gauge("vllm:num_requests_waiting", "Requests that wait to run.", waiting)
        used = reserved / capacity if capacity else 0.0
        yield self._gauge("vllm:kv_cache_usage_perc", "Share of the KV pool that is taken.", used)
        yield self._counter("vllm:num_preemptions", "Preempted requests.", front.counts.preempted)
        for name, total in (("queries", "asked"), ("hits", "hit")):
            yield self._counter(
                f"vllm:prefix_cache_{name}", "Tokens, by the prefix cache.", front.totals[total]
            )
        config = {
            "block_size": facts.block_size,
            "num_gpu_blocks": facts.units,
            "enable_prefix_caching": setup.kv == "prefix",
            "kv": setup.kv,
            "policy": setup.policy,
        }
        yield self._gauge("vllm:cache_config_info", "How the KV pool is set up.", 1, config)
        yield gauge("constraintlab:slots", "Requests that can run at a time.", facts.slots)

    def _requests(self) -> Iterator[Metric]:
        counts = self._front.counts
        yield self._counter("vllm:prompt_tokens", "Prompt tokens.", counts.prompt_tokens)
        yield self._counter("vllm:generation_tokens", "Output tokens.", counts.generated)
        yield self._counter(
            "vllm:request_success", "Requests that ended.", counts.success, "finished_reason"
        )
        for name, what, histogram in (
            ("time_to_first_token_seconds", "Arrival to first token.", counts.ttft),
            ("inter_token_latency_seconds", "Between tokens, at engine steps.", counts.itl),
            ("e2e_request_latency_seconds", "Arrival to last token.", counts.e2e),
            ("request_queue_time_seconds", "Arrival to admission.", counts.queued),
            ("request_prefill_time_seconds", "Admission to first token.", counts.prefill),
            ("request_decode_time_seconds", "First to last token.", counts.decode),
            ("request_inference_time_seconds", "Admission to last token.", counts.inference),
            ("iteration_tokens_total", "Tokens computed in a step.", counts.step_tokens),
        ):
            yield self._histogram(f"vllm:{name}", what, histogram)

    def _host(self) -> Iterator[Metric]:
        front = self._front
        stages = {stage: front.totals[total] for stage, total in STAGES.items()}
        stages |= {
            "receive": front.backend.receiving,
            "frame": front.counts.framing,
            "write": front.counts.writing,
        }
        yield counter(
            "constraintlab:host_seconds", "Core-seconds by stage of a token's way.", stages, "stage"
        )
        yield counter(
            "constraintlab:front_end_cpu_seconds", "Of this process.", time.process_time()
        )
        yield counter(
            "constraintlab:engine_cpu_seconds", "Of the engine's process.", front.totals["cpu"]
        )

    def _streams(self) -> Iterator[Metric]:
        front, counts = self._front, self._front.counts
        streams = list(front.streams)
        for name, what, value in (
            ("events", "Server-sent events.", counts.events),
            ("tokens", "Tokens in them.", counts.tokens),
            ("bytes", "Bytes of them, chunked framing included.", counts.bytes),
            ("writes", "Writes of them.", counts.writes),
        ):
            yield counter(f"constraintlab:stream_{name}", what, value)
        depths = [s.waiting_bytes for s in streams]
        states = [s.outbox.state for s in streams]
        for name, what, value in (
            ("send_queue_events", "Tokens that wait for readers.", sum(s.waiting for s in streams)),
            ("send_queue_bytes", "Bytes that wait for readers.", sum(depths)),
            ("send_queue_bytes_max", "Of the deepest stream.", max(depths, default=0)),
            ("streams_open", "Streams under way.", len(streams)),
        ):
            yield gauge(f"constraintlab:{name}", what, value)
        slow = GaugeMetricFamily(
            "constraintlab:streams_slow", "Streams whose reader is slow.", labels=["state"]
        )
        for state in ("coalescing", "paused"):
            slow.add_metric([state], states.count(state))
        yield slow
        for name, what, found in (
            ("streams_ended", "Streams by how they ended.", counts.ended),
            ("requests_rejected", "Requests by why they were turned away.", counts.rejected),
        ):
            yield counter(f"constraintlab:{name}", what, found, "reason")

    def _gauge(self, name: str, what: str, value: float, more: Mapping | None = None) -> Metric:
        labels = {"model_name": self._front.name, **(more or {})}
        found = GaugeMetricFamily(name, what, labels=list(labels))
        found.add_metric([str(v) for v in labels.values()], value)
        return found

    def _counter(self, name: str, what: str, value, label: str = "") -> Metric:
        return counter(name, what, value, label, self._front.name)

    def _histogram(self, name: str, what: str, histogram: Histogram) -> Metric:
        found = HistogramMetricFamily(name, what, labels=["model_name"])
        found.add_metric([self._front.name], histogram.buckets, histogram.sum)
        return found


def gauge(name: str, what: str, value: float) -> Metric:
    """A gauge without labels."""
    return GaugeMetricFamily(name, what, value=value)


def counter(name: str, what: str, value, label: str = "", model: str = "") -> Metric:
    """A counter, or one for each value of `label` in a mapping."""
    names = ["model_name"] * bool(model) + [label] * bool(label)
    found = CounterMetricFamily(name, what, labels=names)
    own = [model] * bool(model)
    for key, n in value.items() if label else [("", value)]:
        found.add_metric([*own, *([key] if label else [])], n)
    return found
