"""/metrics as servers of several versions show them, written from their documented formats.

vLLM: "Production Metrics" of v0.4, v0.6, v0.9 and v0.11 (docs.vllm.ai) and `v1/metrics/loggers.py`;
what is waited for by reason, and MFU counters, as in 2026's. SGLang: "Production Metrics" of its
docs (0.4) and `srt/metrics/collector.py` (0.5), where every tensor rank may tell the same.
"""

from dataclasses import dataclass, field, replace

from constraintlab.watch.judge import judge
from constraintlab.watch.looks import Looker
from constraintlab.watch.window import Window
from tests.unit.telemetry.fakes import Clock


@dataclass(frozen=True)
class Hist:
    """A histogram: (upper bound, observations) of each bucket, and their sum."""

    counts: tuple[tuple[float, float], ...]
    sum: float

    @classmethod
    def of(cls, *values_and_times):
        """From (value, times)."""
        bounds = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 40.0)
        counts = [[b, 0.0] for b in (*bounds, float("inf"))]
        for value, times in values_and_times:
            next(c for c in counts if value <= c[0])[1] += times
        return cls(tuple(map(tuple, counts)), sum(v * t for v, t in values_and_times))


@dataclass(frozen=True)
class Moment:
    """A server at a moment, in the words of no version. Counters are since its start."""

    running: float = 0
    waiting: float = 0
    kv: float = 0.0
    preempted: float = 0
    prompts: float = 0
    tokens: float = 0
    requests: float = 0
    open: float = 0
    busy: float = 0.0
    flops: float = 0.0
    read: float = 0.0
    handed: float = 0
    cpu: float = 0.0
    times: dict = field(default_factory=dict)
    """Hist of ttft, itl, e2e, queue, prefill, decode."""


VLLM = {
    "running": "vllm:num_requests_running", "waiting": "vllm:num_requests_waiting",
    "kv": "vllm:gpu_cache_usage_perc", "preempted": "vllm:num_preemptions_total",
    "prompts": "vllm:prompt_tokens_total", "tokens": "vllm:generation_tokens_total",
    "requests": "vllm:request_success_total", "ttft": "vllm:time_to_first_token_seconds",
    "itl": "vllm:time_per_output_token_seconds", "e2e": "vllm:e2e_request_latency_seconds",
}  # fmt: skip
PHASES = {
    "queue": "vllm:request_queue_time_seconds", "decode": "vllm:request_decode_time_seconds",
    "prefill": "vllm:request_prefill_time_seconds",
}  # fmt: skip
NEWER = {"kv": "vllm:kv_cache_usage_perc", "itl": "vllm:inter_token_latency_seconds"}
MFU = {"flops": "vllm:estimated_flops_per_gpu_total",
       "read": "vllm:estimated_read_bytes_per_gpu_total"}  # fmt: skip
SGLANG = {
    "running": "sglang:num_running_reqs", "waiting": "sglang:num_queue_reqs",
    "kv": "sglang:token_usage", "prompts": "sglang:prompt_tokens_total",
    "tokens": "sglang:generation_tokens_total", "requests": "sglang:num_requests_total",
    "ttft": "sglang:time_to_first_token_seconds", "e2e": "sglang:e2e_request_latency_seconds",
}  # fmt: skip
RANKED = 'engine_type="unified",model_name="m",moe_ep_rank="0",pp_rank="0",tp_rank="{}"'

VERSIONS = {
    "vllm 0.4": (VLLM, ['model_name="m"']),
    "vllm 0.6": (VLLM | PHASES | {"queue": "vllm:time_in_queue_requests"}, ['model_name="m"']),
    "vllm 0.9": (VLLM | PHASES, ['engine="0",model_name="m"']),
    "vllm 0.11": (
        VLLM | PHASES | NEWER | {"cpu": "process_cpu_seconds_total"},
        ['engine="0",model_name="m"'],
    ),
    "vllm 2026": (VLLM | PHASES | NEWER | MFU, ['engine="0",model_name="m"']),
    "sglang 0.4": (
        SGLANG | {"itl": "sglang:time_per_output_token_seconds"}, ['model_name="m"']
    ),
    "sglang 0.5": (
        SGLANG
        | {
            "itl": "sglang:inter_token_latency_seconds", "queue": "sglang:queue_time_seconds",
            "preempted": "sglang:num_retracted_requests_total",
            "open": "sglang:http_requests_active",
            "handed": "sglang:num_decode_transfer_queue_reqs",
            "busy": "sglang:gpu_execution_seconds_total",
        },
        [RANKED.format(0), RANKED.format(1)],
    ),
}  # fmt: skip
"""Names by our word, and the labels of each series."""

GAUGES = ("running", "waiting", "kv", "open", "handed")
ONCE = ("open", "cpu")
"""Told by the front end: once, whatever the ranks."""


def text(version, moment, without=(), zeros=()):
    """What that version shows. without: words that it lacks; zeros: gauges stuck at 0."""
    names, series = VERSIONS[version]
    lines = []
    for word, name in names.items():
        if word in without:
            continue
        labelled = series[:1] if word in ONCE else series
        if word in moment.times or word in ("ttft", "itl", "e2e", "queue", "prefill", "decode"):
            found = moment.times.get(word, Hist.of())
            lines.append(f"# TYPE {name} histogram")
            for labels in labelled[:1]:
                upto = 0.0
                for bound, n in found.counts:
                    upto += n
                    lines.append(f'{name}_bucket{{le="{bound}",{labels}}} {upto}')
                lines.append(f"{name}_sum{{{labels}}} {found.sum}")
                lines.append(f"{name}_count{{{labels}}} {upto}")
            continue
        value = 0.0 if word in zeros else getattr(moment, word)
        lines.append(f"# TYPE {name} {'gauge' if word in GAUGES else 'counter'}")
        lines += [f"{name}{{{labels}}} {value}" for labels in labelled]
    if version == "vllm 2026":
        name = "vllm:num_requests_waiting_by_reason"
        lines.append(f"# TYPE {name} gauge")
        for reason, n in (("capacity", moment.waiting), ("deferred", 0.0)):
            lines.append(f'{name}{{engine="0",model_name="m",reason="{reason}"}} {n}')
    return "\n".join(lines) + "\n"


def looked(texts, every=1.0, timeout_at=()):
    """(samples, family) of a looker that is given these texts, one each second."""
    clock, left = Clock(), iter(enumerate(texts))

    def fetch(url, timeout):
        number, found = next(left)
        if number in timeout_at:
            raise TimeoutError
        return found

    looker = Looker("http://server:8000", fetch=fetch, clock=clock)
    samples = []
    for _ in texts:
        samples.append(looker.look())
        clock.now += every
    return samples, looker.family


def diagnosed(version, moments, told=None, slo=None, timeout_at=(), probed=None, **options):
    """The diagnosis of a server of this version that goes through these moments."""
    texts = [text(version, m, **options) for m in moments]
    samples, family = looked(texts, timeout_at=timeout_at)
    if probed:
        samples = [_with(s, probed) for s in samples]
    return judge(Window.of(samples), family, told, slo)


def _with(sample, values):
    return replace(
        sample,
        values={**sample.values, **values},
        sources={**sample.sources, **dict.fromkeys(values, "measured")},
    )


def grown(rates, gauges, seconds=10, each=None, start=0):
    """Moments one a second: counters grow at these rates, gauges stay or are given by the second.

    each: {histogram: ((value, times a second), …)}
    """
    found = []
    for t in range(start, start + seconds + 1):
        now = {k: (v(t - start) if callable(v) else v) for k, v in gauges.items()}
        times = {k: Hist.of(*((v, n * t) for v, n in pairs)) for k, pairs in (each or {}).items()}
        found.append(Moment(**now, **{k: v * t for k, v in rates.items()}, times=times))
    return found


RATES = {"prompts": 200, "tokens": 400, "requests": 4}
EACH = {"itl": ((0.02, 400),), "ttft": ((0.5, 4),), "queue": ((0.45, 4),), "prefill": ((0.05, 4),),
        "decode": ((2.0, 4),), "e2e": ((2.5, 4),)}  # fmt: skip

KV_STARVED = grown(
    RATES | {"preempted": 0.5},
    {"running": lambda t: 8 + t % 3, "waiting": 6, "kv": lambda t: 0.93 + 0.02 * (t % 3),
     "open": 15},
    each=EACH,
)  # fmt: skip
FEW_SLOTS = grown(RATES, {"running": 8, "waiting": 6, "kv": 0.2, "open": 14}, each=EACH)
QUIET = grown(RATES, {"running": lambda t: 2 + t % 4, "waiting": 0, "kv": 0.1, "open": 4},
              each=EACH | {"e2e": ((1.0, 4),), "queue": ((0.001, 4),)})  # fmt: skip
