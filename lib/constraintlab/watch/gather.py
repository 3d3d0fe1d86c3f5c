"""From a window to its `Facts`: means over the looks that know, rates, and what follows."""

from __future__ import annotations

from statistics import quantiles

from constraintlab.telemetry.sample import Sample
from constraintlab.telemetry.source import Reading
from constraintlab.watch import laws
from constraintlab.watch.facts import Facts, Told
from constraintlab.watch.looks import SPAN
from constraintlab.watch.step import fitted
from constraintlab.watch.window import Window, buckets_of


def gather(window: Window, told: Told | None = None, family: str = "") -> Facts:
    """Everything that rules look at. family: of the server, as `looks.Looker` knows it."""
    told = told or Told()
    busy = window.when(_busy) if window.when(_busy).looks else window
    waits = busy.when(_waits)
    found = {
        "running": busy.mean("server.running"),
        "waiting": busy.mean("server.waiting"),
        "waits": _share(busy, "server.waiting", _waits),
        "room": _room(waits if waits.looks else busy),
        "kv": _kv(waits if waits.looks else busy),
        "preemptions": window.rate("server.preemptions_per_s"),
        "tokens": window.rate("server.tokens_per_s"),
        "prompts": window.rate("server.prompt_tokens_per_s"),
        "requests": window.rate("server.requests_per_s"),
        "rejected": window.rate("server.rejected_per_s"),
        **{n: window.average(f"server.{n}_s")
           for n in ("ttft", "itl", "e2e", "queue", "prefill", "decode")},
        "device_busy": busy.rate("server.device_busy_share"),
        "compute": _of(busy.rate("server.device_flops_per_s"), told.flops, "FLOP/s"),
        "bandwidth": _of(busy.rate("server.device_read_bytes_per_s"), told.bytes, "bytes/s"),
        "front": _first(busy.rate("server.front_end_cores"), busy.rate("server.api_cores")),
        "engine_host": _engine_host(busy),
        "slow": _slow(busy),
        "scrape": window.mean("server.scrape_s"),
        "itl_at_front": Reading.counted(float(family == "sglang")),
    }  # fmt: skip
    found |= _probe(window)
    found |= laws.contradicted(window, found)
    found["level"] = laws.level(waits)
    found["slots"], found["at_cap"] = laws.cap(busy, waits, told, found)
    found["headroom"] = laws.headroom(found)
    found["outside"] = laws.outside(busy, found)
    found["shared"], found["shared_most"] = _step(busy)
    names = ("server.running", "server.waiting", "server.kv_used_share")
    return Facts(found, {n.removeprefix("server."): p for n in names if (p := busy.parts(n))})


def _busy(sample: Sample) -> bool:
    return bool(sample.values.get("server.running")) or _waits(sample)


def _waits(sample: Sample) -> bool:
    return bool(sample.values.get("server.waiting"))


def _share(window: Window, name: str, holds) -> Reading:
    """Of the looks that know the name."""
    known = window.when(lambda s: s.values.get(name) is not None)
    if not known.looks:
        return window.mean(name)
    return Reading(len(known.when(holds).looks) / len(known.looks), window.mean(name).source)


def _room(waits: Window) -> Reading:
    """Share of those who wait that wait for slots or KV, as newer vLLM says."""
    waiting, room = waits.mean("server.waiting"), waits.mean("server.waiting_for_room")
    if room.value is None or not waiting.value:
        return room if room.value is None else Reading.absent("nothing waits")
    return Reading(min(1.0, room.value / waiting.value), room.source)


def _kv(window: Window) -> Reading:
    """Of the pool where requests wait: of several engines one can be full beside empty ones."""
    mean = window.mean("server.kv_used_share")
    full = many = 0.0
    for part, kv in window.parts("server.kv_used_share").items():
        queue = window.mean(f"server.waiting@{part}").value or 0.0
        full, many = full + queue * kv, many + queue
    return mean if mean.value is None or not many else Reading(full / many, mean.source)


def _of(rate: Reading, peak: float | None, unit: str) -> Reading:
    if rate.value is None:
        return rate
    if peak is None:
        return Reading.absent(f"the GPU's peak {unit} is not told")
    return Reading(rate.value / peak, rate.source)


def _first(*readings: Reading) -> Reading:
    return next((r for r in readings if r.value is not None), readings[-1])


def _engine_host(busy: Window) -> Reading:
    """Of the engine's busy core-seconds, those outside of the forward pass (our server only)."""
    stages = {s: busy.rate(f"server.host_{s}_cores")
              for s in ("forward", "schedule", "draw", "detokenise", "emit")}  # fmt: skip
    absent = next((r for r in stages.values() if r.value is None), None)
    if absent:
        return absent
    total = sum(r.value for r in stages.values())
    if not total:
        return Reading.absent("the engine did nothing")
    return Reading(1 - stages["forward"].value / total, stages["forward"].source)


def _slow(busy: Window) -> Reading:
    """Share of the open streams whose data wait for their readers (our server only)."""
    names = ("server.streams_coalescing", "server.streams_paused", "server.streams_open")
    means = [busy.mean(n) for n in names]
    if any(r.value is None for r in means):
        return next(r for r in means if r.value is None)
    return Reading(min(1.0, (means[0].value + means[1].value) / max(1.0, means[2].value)),
                   means[0].source)  # fmt: skip


def _probe(window: Window) -> dict[str, Reading]:
    def total(name: str) -> Reading:
        found = window.known(name)
        return window.mean(name) if not found else Reading(sum(found), window.last(name).source)

    def weighted(name: str, by: str) -> Reading:
        pairs = [(n, v) for s in window.looks
                 if (v := s.values.get(name)) is not None and (n := s.values.get(by))]  # fmt: skip
        if not pairs:
            return window.mean(name)
        mean = sum(n * v for n, v in pairs) / sum(n for n, _ in pairs)
        return Reading(mean, window.last(name).source)

    def worst(name: str) -> Reading:
        found = window.known(name)
        return window.mean(name) if not found else Reading(max(found), window.last(name).source)

    return {
        "probe_itl": weighted("probe.itl_s", "probe.gaps"),
        "probe_gaps": total("probe.gaps"),
        "probe_ttft": weighted("probe.ttft_s", "probe.ended"),
        "probe_ttft_max": worst("probe.ttft_max_s"),
        "bunched": weighted("probe.bunched_share", "probe.gaps"),
        "probes": total("probe.ended"),
        "probes_failed": total("probe.failed"),
        "probe_tokens": total("probe.tokens"),
        "probe_lag": _percentile(window, "probe.lag_s", 0.9),
        "probe_delay": worst("probe.delay_s"),
    }


def _percentile(window: Window, name: str, q: float) -> Reading:
    found = window.known(name)
    if len(found) < 2:
        return window.mean(name)
    return Reading(quantiles(found, n=100, method="inclusive")[int(100 * q) - 1],
                   window.last(name).source)  # fmt: skip


def _step(busy: Window) -> tuple[Reading, Reading]:
    """Share of a step that is paid however many share it, and the most that it may be."""
    line = fitted([pair for s in busy.looks if (pair := _sharing(s)) is not None])
    if line is None:
        why = "the number that runs did not vary enough to say how a step grows with it"
        return Reading.absent(why), Reading.absent(why)
    source = "modelled: a line through the time between tokens by the number that ran"
    return Reading(line.share, source), Reading(line.high, source)


def _sharing(sample: Sample) -> tuple[float, float] | None:
    """(requests that decoded, seconds between two of their tokens) since the look before.

    How many: all their gaps over the time. A gauge is of one moment, and noise in the number that a
    line is drawn by makes the line flat. None where requests were preempted or paused meanwhile:
    then a gap is more than a step.
    """
    stopped = (sample.values.get(n) for n in ("server.preemptions_per_s", "server.streams_paused"))
    if next(stopped) != 0 or next(stopped):
        return None
    itl, span = sample.values.get("server.itl_s"), sample.values.get(SPAN)
    gaps = sum(buckets_of(sample, "server.itl_s").values())
    return (gaps * itl / span, itl) if itl and span and gaps else None
