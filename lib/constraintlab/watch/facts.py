"""`Facts`: what a window says of a server, in the words that rules are written in.

Each is a number with its source, or absent with the reason. Where two metrics of the same thing
contradict each other, Little's law (N = X · R) decides which is no evidence: a gauge that reads 0
all the time although the histogram's seconds times the rate say that something was there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from statistics import quantiles

from constraintlab.telemetry.sample import Sample
from constraintlab.telemetry.source import Reading
from constraintlab.watch.looks import SPAN
from constraintlab.watch.step import fitted
from constraintlab.watch.window import Window, buckets_of

ENOUGH = 3
"""Looks from which a window says anything."""

STEADY = 5
"""Looks in which the same number ran while others waited: then that number is a limit."""

LITTLE = 1.0
"""Requests that Little's law must find where a gauge reads 0 to make the gauge no evidence."""

LONG = 2.0
"""Times a latency that a window must last for Little's law: whoever ends in it began before."""


@dataclass(frozen=True)
class Told:
    """What a person says of a server that its metrics don't: the most requests that it runs, and
    a GPU's peak FLOP/s and bytes/s."""

    slots: float | None = None
    flops: float | None = None
    bytes: float | None = None


@dataclass(frozen=True)
class Facts(Mapping[str, float]):
    """`facts[name]` is a number; a KeyError says why there is none. `get` gives None instead."""

    readings: Mapping[str, Reading]
    parts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> float:
        value = self.readings[name].value
        if value is None:
            raise KeyError(self.why(name))
        return value

    def __contains__(self, name: object) -> bool:
        return name in self.readings and self.readings[name].value is not None

    def __iter__(self) -> Iterator[str]:
        return (n for n in self.readings if n in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def but(self, **values: float) -> Facts:
        """The same with some values instead of those there are, to ask what if."""
        changed = {n: replace(self.readings[n], value=v) for n, v in values.items()}
        return replace(self, readings={**self.readings, **changed})

    def why(self, name: str) -> str:
        """Why a fact is absent; empty if it is there."""
        return "" if name in self else self.readings[name].source.removeprefix("n/a: ")

    @classmethod
    def of(cls, window: Window, told: Told | None = None) -> Facts:
        """Everything that rules look at."""
        told = told or Told()
        busy = window.when(_busy) if window.when(_busy).looks else window
        waits = busy.when(_waits)
        found = {
            "running": busy.mean("server.running"),
            "waiting": busy.mean("server.waiting"),
            "waits": _share(busy, "server.waiting", _waits),
            "room": _room(waits if waits.looks else busy),
            "kv": (waits if waits.looks else busy).mean("server.kv_used_share"),
            "preemptions": window.rate("server.preemptions_per_s"),
            "tokens": window.rate("server.tokens_per_s"),
            "prompts": window.rate("server.prompt_tokens_per_s"),
            "requests": window.rate("server.requests_per_s"),
            **{n: window.average(f"server.{n}_s")
               for n in ("ttft", "itl", "e2e", "queue", "prefill", "decode")},
            "device_busy": busy.rate("server.device_busy_share"),
            "compute": _of(busy.rate("server.device_flops_per_s"), told.flops, "FLOP/s"),
            "bandwidth": _of(busy.rate("server.device_read_bytes_per_s"), told.bytes, "bytes/s"),
            "front": _first(busy.rate("server.front_end_cores"), busy.rate("server.api_cores")),
            "engine_host": _engine_host(busy),
            "slow": _slow(busy),
            "scrape": window.mean("server.scrape_s"),
        }  # fmt: skip
        found |= _probe(window)
        found |= _contradicted(window, found)
        found["level"] = _level(waits)
        found["slots"], found["at_cap"] = _cap(busy, waits, told, found)
        found["headroom"] = _headroom(found)
        found["outside"] = _outside(busy, found)
        found["shared"], found["shared_most"] = _step(busy)
        names = ("server.running", "server.waiting", "server.kv_used_share")
        return cls(found, {n.removeprefix("server."): p for n in names if (p := busy.parts(n))})


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


def _contradicted(window: Window, found: Mapping[str, Reading]) -> dict[str, Reading]:
    """What reads 0 where tokens, or Little's law, say that there was something."""
    value = {n: r.value for n, r in found.items()}
    changed = {
        name: Reading.absent("it does not grow while tokens are made: no evidence")
        for name in ("device_busy", "compute", "bandwidth", "front")
        if value[name] == 0 and value["tokens"]
    }
    if value["running"] == 0 and value["tokens"] and value["itl"]:
        decoding = value["tokens"] * value["itl"]
        if decoding >= LITTLE:
            changed["running"] = Reading.absent(
                f"it reads 0 while tokens and their gaps make {decoding:.1f} streams: no evidence"
            )
    if value["waiting"] == 0:
        queued = _little(window, value["requests"], value["queue"]) or 0.0
        if queued >= LITTLE:
            why = "modelled: Little's law on the queue times, for the gauge reads 0 all the time"
            changed |= {"waiting": Reading(queued, why), "waits": Reading(1.0, why)}
    return changed


def _little(window: Window, rate: float | None, seconds: float | None) -> float | None:
    """N = X · R, where the window is long enough for it."""
    if not rate or seconds is None or window.seconds < LONG * seconds:
        return None
    return rate * seconds


def _level(waits: Window) -> Reading:
    """Share of the looks in which others waited that had as many running as ever, or nearly: a
    limit keeps their number, a pool of memory does not."""
    running = waits.known("server.running")
    if len(running) < STEADY:
        return Reading.absent("hardly anything waited")
    top = max(running)
    return Reading(sum(r >= top - _slack(top) for r in running) / len(running),
                   waits.mean("server.running").source)  # fmt: skip


def _cap(
    busy: Window, waits: Window, told: Told, found: Mapping[str, Reading]
) -> tuple[Reading, Reading]:
    """(the most that may run, share of the looks in which others waited that had so many)."""
    running = waits.known("server.running")
    exported = busy.last("server.slots")
    slots = Reading(told.slots, "counted: as you said") if told.slots else exported
    if slots.value is None and (found["level"].value or 0) >= 0.9 and found["requests"].value:
        slots = Reading(max(running), "modelled: so many ran whenever others waited")
    if not running:
        return slots, Reading.absent("nothing waited")
    if slots.value is None:
        return slots, Reading.absent("the most requests that may run is not known")
    full = sum(r >= slots.value - _slack(slots.value) for r in running) / len(running)
    return slots, Reading(full, waits.mean("server.running").source)


def _slack(top: float) -> float:
    """A request that has just ended leaves its slot empty for a step."""
    return max(0.5, 0.03 * top)


def _headroom(found: Mapping[str, Reading]) -> Reading:
    """Further requests of the usual size for which the KV pool has room."""
    kv, running = found["kv"], found["running"]
    if kv.value is None or not kv.value or not running.value:
        return kv if kv.value is None else Reading.absent("nothing runs")
    return Reading((1 - kv.value) * running.value / kv.value, kv.source)


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
    line is drawn by makes the line flat.
    """
    itl, span = sample.values.get("server.itl_s"), sample.values.get(SPAN)
    gaps = sum(buckets_of(sample, "server.itl_s").values())
    return (gaps * itl / span, itl) if itl and span and gaps else None


def _outside(busy: Window, found: Mapping[str, Reading]) -> Reading:
    """Requests that the front end has and the scheduler has not: being tokenised, detokenised, or
    read. By the front end's own count, or by Little's law on its rate and its latency."""
    inside = [found[n].value for n in ("running", "waiting")]
    if None in inside:
        return Reading.absent("the scheduler's requests are not known")
    front = busy.mean("server.requests_open")
    law = _little(busy, found["requests"].value, found["e2e"].value)
    if front.value is None and law is not None:
        front = Reading(law, "modelled: Little's law on its requests")
    if front.value is None:
        return front
    return Reading(max(0.0, front.value - sum(inside)), front.source)
