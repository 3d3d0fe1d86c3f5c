"""Which of a server's metrics give which of our values: vLLM's names, SGLang's, and our own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from constraintlab.telemetry.exposition import Labels, Scrape, growth
from constraintlab.telemetry.source import FIRST, Reading


class Rule(Protocol):
    """How a value is read from the newest scrape, and from the one before it if there is one."""

    def read(self, before: Scrape | None, now: Scrape) -> Reading: ...


def _first(names: tuple[str, ...], now: Scrape, endings: tuple[str, ...] = ("",)) -> str:
    """The first of the names that the server has: the newest name comes first."""
    there = (n for n in names if not any(now.lacks(n + end) for end in endings))
    return next(there, names[0])


@dataclass(frozen=True)
class Gauge:
    """What the newest scrape says, over all series: their sum, mean or max.

    zero_unless: where this is above 0, a 0 is no evidence: a metric that was renamed, or that
    nobody sets, reads 0 too.
    """

    names: tuple[str, ...]
    labels: Labels = frozenset()
    over: str = "sum"
    zero_unless: tuple[str, ...] = ()

    def read(self, before: Scrape | None, now: Scrape) -> Reading:
        name = _first(self.names, now)
        found = now.values(name, self.labels)
        if not found:
            return Reading.absent(now.lacks(name, self.labels))
        value = max(found) if self.over == "max" else sum(found)
        value /= len(found) if self.over == "mean" else 1
        busy = sum(now.values(_first(self.zero_unless, now))) if self.zero_unless else 0.0
        if not value and busy:
            return Reading.absent(f"{name} reads 0 while {busy:g} requests run: no evidence")
        return Reading.measured(value)


@dataclass(frozen=True)
class Sum:
    """Several gauges of the newest scrape together, those that the server has."""

    names: tuple[str, ...]

    def read(self, before: Scrape | None, now: Scrape) -> Reading:
        found = [sum(values) for name in self.names if (values := now.values(name))]
        return Reading.measured(sum(found)) if found else Reading.absent(now.lacks(self.names[0]))


@dataclass(frozen=True)
class Ratio:
    """What one counter grew by for each that another did, between two scrapes."""

    top: tuple[str, ...]
    bottom: tuple[str, ...]
    nothing: str

    def read(self, before: Scrape | None, now: Scrape) -> Reading:
        names = _first(self.top, now), _first(self.bottom, now)
        lacks = next(filter(None, map(now.lacks, names)), "")
        if lacks:
            return Reading.absent(lacks)
        grown = growth(before, now, names) if before else None
        if grown is None:
            return Reading.absent(FIRST)
        if not grown[1]:
            return Reading.absent(f"{self.nothing} between the last two scrapes")
        return Reading.measured(grown[0] / grown[1])


@dataclass(frozen=True)
class Mean:
    """The mean of a histogram's observations between two scrapes."""

    names: tuple[str, ...]

    def read(self, before: Scrape | None, now: Scrape) -> Reading:
        name = _first(self.names, now, ("_sum", "_count"))
        nothing = f"{name} observed nothing"
        return Ratio((f"{name}_sum",), (f"{name}_count",), nothing).read(before, now)


@dataclass(frozen=True)
class Rate:
    """How fast a counter grew between two scrapes, over all its series; mean: of one of them."""

    names: tuple[str, ...]
    labels: Labels = frozenset()
    mean: bool = False

    def read(self, before: Scrape | None, now: Scrape) -> Reading:
        name = _first(self.names, now)
        lacks = now.lacks(name, self.labels)
        if lacks:
            return Reading.absent(lacks)
        grown = growth(before, now, (name,), self.labels) if before else None
        if grown is None or now.t <= before.t:
            return Reading.absent(FIRST)
        many = len(now.values(name, self.labels)) if self.mean else 1
        return Reading.measured(grown[0] / (now.t - before.t) / many)


def _with(**labels: str) -> Labels:
    return frozenset(labels.items())


STAGES = ("schedule", "forward", "draw", "detokenise", "emit", "receive", "frame", "write")
"""Of host time: the first five in the engine's process, the others in the front end's."""

RUNNING = ("vllm:num_requests_running", "sglang:num_running_reqs")
WAITING = ("vllm:num_requests_waiting", "sglang:num_queue_reqs")
OURS = "constraintlab:"
TOKENS, EVENTS = (f"{OURS}stream_tokens_total",), (f"{OURS}stream_events_total",)
BYTES, WRITES = (f"{OURS}stream_bytes_total",), (f"{OURS}stream_writes_total",)
HANDED_OVER = (
    "sglang:num_prefill_prealloc_queue_reqs", "sglang:num_prefill_bootstrap_queue_reqs",
    "sglang:num_prefill_inflight_queue_reqs", "sglang:num_decode_prealloc_queue_reqs",
    "sglang:num_decode_transfer_queue_reqs", "sglang:num_grammar_queue_reqs",
)  # fmt: skip
UNSENT = "no token was sent"
KV = ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc", "sglang:token_usage")

HISTOGRAMS: Mapping[str, tuple[str, ...]] = {
    "server.ttft_s": ("vllm:time_to_first_token_seconds", "sglang:time_to_first_token_seconds"),
    "server.itl_s": (
        "vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds",
        "sglang:inter_token_latency_seconds", "sglang:time_per_output_token_seconds",
    ),
    "server.e2e_s": ("vllm:e2e_request_latency_seconds", "sglang:e2e_request_latency_seconds"),
    "server.queue_s": (
        "vllm:request_queue_time_seconds", "vllm:time_in_queue_requests",
        "sglang:queue_time_seconds",
    ),
    "server.prefill_s": ("vllm:request_prefill_time_seconds",),
    "server.decode_s": ("vllm:request_decode_time_seconds",),
    "server.inference_s": ("vllm:request_inference_time_seconds",),
    "server.step_tokens": ("vllm:iteration_tokens_total",),
}  # fmt: skip
"""Histograms by our name for their mean; of each, the newest name first."""

RULES: Mapping[str, Rule] = {
    "server.running": Gauge(RUNNING),
    "server.waiting": Gauge(WAITING),
    "server.waiting_for_room": Gauge(
        ("vllm:num_requests_waiting_by_reason",), _with(reason="capacity")
    ),
    "server.slots": Gauge((f"{OURS}slots", "sglang:max_running_requests")),
    "server.kv_used_share": Gauge(KV, over="mean", zero_unless=RUNNING),
    "server.handed_over": Sum(HANDED_OVER),
    "server.requests_open": Gauge((f"{OURS}streams_open", "sglang:http_requests_active")),
    "server.preemptions_per_s": Rate(
        ("vllm:num_preemptions_total", "sglang:num_retracted_requests_total")
    ),
    "server.prompt_tokens_per_s": Rate(("vllm:prompt_tokens_total", "sglang:prompt_tokens_total")),
    "server.tokens_per_s": Rate(("vllm:generation_tokens_total", "sglang:generation_tokens_total")),
    "server.requests_per_s": Rate(("vllm:request_success_total", "sglang:num_requests_total")),
    "server.rejected_per_s": Rate((f"{OURS}requests_rejected_total",), _with(reason="queue")),
    "server.prefix_hit_share": Ratio(
        ("vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total"),
        ("vllm:prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries_total"),
        "the prefix cache was not asked"),
    **{name: Mean(names) for name, names in HISTOGRAMS.items()},
    "server.device_flops_per_s": Rate(
        ("vllm:estimated_flops_per_gpu_total", "sglang:estimated_flops_per_gpu_total"), mean=True
    ),
    "server.device_read_bytes_per_s": Rate(
        ("vllm:estimated_read_bytes_per_gpu_total", "sglang:estimated_read_bytes_per_gpu_total"),
        mean=True,
    ),
    "server.device_busy_share": Rate(("sglang:gpu_execution_seconds_total",)),
    "server.api_cores": Rate(("process_cpu_seconds_total",)),
    **{f"server.host_{s}_cores": Rate((f"{OURS}host_seconds_total",), _with(stage=s))
       for s in STAGES},
    "server.front_end_cores": Rate((f"{OURS}front_end_cpu_seconds_total",)),
    "server.engine_cores": Rate((f"{OURS}engine_cpu_seconds_total",)),
    "server.events_per_s": Rate(EVENTS),
    "server.sent_tokens_per_s": Rate(TOKENS),
    "server.bytes_per_s": Rate(BYTES),
    "server.writes_per_s": Rate(WRITES),
    "server.bytes_per_token": Ratio(BYTES, TOKENS, UNSENT),
    "server.writes_per_token": Ratio(WRITES, TOKENS, UNSENT),
    "server.tokens_per_event": Ratio(TOKENS, EVENTS, UNSENT),
    "server.send_queue_events": Gauge((f"{OURS}send_queue_events",)),
    "server.send_queue_bytes": Gauge((f"{OURS}send_queue_bytes",)),
    "server.send_queue_bytes_max": Gauge((f"{OURS}send_queue_bytes_max",), over="max"),
    "server.streams_open": Gauge((f"{OURS}streams_open",)),
    "server.streams_coalescing": Gauge((f"{OURS}streams_slow",), _with(state="coalescing")),
    "server.streams_paused": Gauge((f"{OURS}streams_slow",), _with(state="paused")),
    "server.streams_cut_per_s": Rate((f"{OURS}streams_ended_total",), _with(reason="slow")),
}  # fmt: skip
"""Every value that a scrape gives, and how."""


def read(before: Scrape | None, now: Scrape) -> dict[str, Reading]:
    """All values of `RULES`; those over an interval are from `before` to `now`."""
    return {name: rule.read(before, now) for name, rule in RULES.items()}
