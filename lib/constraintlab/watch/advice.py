"""What to try when a resource binds, and what to switch on when a fact is absent, by server."""

from __future__ import annotations

from constraintlab.limits.resource import Resource

R = Resource
ANY = ""

TRY: dict[Resource, dict[str, tuple[str, ...]]] = {
    R.KV_CAPACITY: {
        "vllm": (
            "more KV: --gpu-memory-utilization up, --kv-cache-dtype fp8, or more GPUs",
            "less KV a request: --max-model-len down, shorter answers, prefix caching on",
        ),
        "sglang": (
            "more KV: --mem-fraction-static up, --kv-cache-dtype fp8_e5m2, or more GPUs",
            "less KV a request: a lower --context-length, shorter answers",
        ),
        "constraintlab": ("a larger pool: --kv-blocks", "--kv paged or prefix, if it is neither"),
        ANY: ("more memory for KV, or less of it a request",),
    },
    R.SLOTS: {
        "vllm": ("--max-num-seqs up: the KV pool has room",),
        "sglang": ("--max-running-requests up: the KV pool has room",),
        "constraintlab": ("--slots up: the KV pool has room",),
        ANY: ("let more requests run at a time",),
    },
    R.COMPUTE: {
        ANY: (
            "fewer prompt tokens: prefix caching, shorter prompts",
            "a lower precision, or more GPUs; more slots or KV give nothing here",
        ),
    },
    R.BANDWIDTH: {
        ANY: (
            "fewer bytes a token: quantised weights, fp8 KV, a larger batch where latency allows",
        ),
    },
    R.HOST: {
        "vllm": (
            "more front ends: --api-server-count; fewer events: --stream-interval",
            "--async-scheduling, and an idle core for each process",
        ),
        "sglang": (
            "look at the CPU of sglang's detokenizer and tokenizer processes: one at 100% is it",
            "fewer events: --stream-interval; more of them: --tokenizer-worker-num, and in newer "
            "versions --detokenizer-worker-num",
        ),
        "constraintlab": ("fewer events: --stream-interval",),
        ANY: ("fewer events a token, more front end processes",),
    },
    R.NETWORK: {
        "vllm": ("fewer bytes a token: --stream-interval; look for a proxy that buffers",),
        "sglang": ("fewer bytes a token: --stream-interval; look for a proxy that buffers",),
        "constraintlab": ("fewer bytes a token: --stream-interval; a faster link",),
        ANY: ("fewer events a token; look for a proxy that buffers between server and clients",),
    },
    R.CLIENT: {ANY: ("find the readers that don't keep up; cut or coalesce their streams",)},
    R.DEMAND: {ANY: ("nothing: it serves what is asked. More load shows what binds next",)},
}

SWITCH_ON: dict[str, dict[str, str]] = {
    "waits": {
        "vllm": "vllm:num_requests_waiting is missing: start without --disable-log-stats",
        "sglang": "sglang:num_queue_reqs is missing: start with --enable-metrics",
        ANY: "the gauge of waiting requests is missing",
    },
    "running": {ANY: "the gauge of running requests is missing"},
    "waiting": {ANY: "the gauge of waiting requests is missing"},
    "kv": {
        "vllm": "KV usage: vllm:kv_cache_usage_perc (gpu_cache_usage_perc in older versions), "
        "start without --disable-log-stats",
        "sglang": "KV usage: sglang:token_usage, start with --enable-metrics",
        ANY: "KV usage",
    },
    "slots": {
        "vllm": "the limit on running requests: vLLM does not export it, tell it with "
        "--slots (its --max-num-seqs)",
        "sglang": "the limit on running requests: tell it with --slots (max_running_requests in "
        "SGLang's log)",
        ANY: "the limit on running requests: tell it with --slots",
    },
    "compute": {
        "vllm": "FLOPs: start with --enable-mfu-metrics, and give --peak-flops",
        "sglang": "FLOPs: start with --enable-mfu-metrics, and give --peak-flops",
        "constraintlab": "",
        ANY: "the FLOPs done, and the GPU's peak (--peak-flops)",
    },
    "bandwidth": {
        "vllm": "bytes read: start with --enable-mfu-metrics, and give --peak-bandwidth",
        "sglang": "bytes read: start with --enable-mfu-metrics, and give --peak-bandwidth",
        "constraintlab": "",
        ANY: "the bytes read, and the GPU's peak (--peak-bandwidth)",
    },
    "device_busy": {
        "sglang": "the GPU's busy time: sglang:gpu_execution_seconds_total (newer versions)",
    },
    "probe_itl": {
        ANY: "what a client sees: leave the probe on (no --no-probe) until an answer ends"
    },
    "itl": {ANY: "the server's time between tokens: some answers must be streamed"},
    "prompts": {ANY: "the counter of prompt tokens"},
    "tokens": {ANY: "the counter of output tokens"},
    "outside": {ANY: "end-to-end latency, or the front end's open requests"},
}
"""By fact; for a server that is not listed, what `ANY` says, or nothing: it can't be had there."""


def to_try(resource: Resource, family: str) -> tuple[str, ...]:
    """What to try, for this server."""
    known = TRY.get(resource, {})
    return known.get(family) or known.get(ANY, ())


def to_switch_on(fact: str, family: str) -> str:
    """How to get the fact; empty where there is no way."""
    known = SWITCH_ON.get(fact, {})
    return known.get(family, known.get(ANY, ""))
