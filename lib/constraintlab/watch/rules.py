"""The rules by which evidence becomes a verdict on a server whose work can't be counted.

Read `RULES` as a table: each row names a resource, says in words when it binds, which facts it
needs, how strongly they speak for it, and which other rows it explains away. A strength is no
probability: it orders what the evidence supports, from 0 (nothing) to 1 (all that there could be).
A row whose facts are absent is blind: it says nothing, and the verdict says that it could not look.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from constraintlab.limits.resource import Resource
from constraintlab.watch.facts import Facts

WAITS = 0.5
"""Share of the looks in which somebody must wait before anything but delivery can bind."""

LAG = 0.002
"""Seconds between two tokens that a client must see beyond the server's own to speak of a lag."""

FEW_GAPS = 40
"""Gaps between a probe's tokens that are too few for a mean."""


def ramp(value: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high`, straight in between."""
    return min(1.0, max(0.0, (value - low) / (high - low)))


@dataclass(frozen=True)
class Rule:
    """resource: what binds where it holds. when: in words. needs: without these it is blind; of a
    tuple in it, one is enough. strength, evidence: from the facts. explains: resources whose rules
    show symptoms of this one, so they count half."""

    resource: Resource
    when: str
    needs: tuple[str | tuple[str, ...], ...]
    strength: Callable[[Facts], float]
    evidence: Callable[[Facts], list[str]]
    explains: tuple[Resource, ...] = ()

    def lacks(self, facts: Facts) -> list[str]:
        """The needed facts that are absent."""
        return [
            need if isinstance(need, str) else need[0]
            for need in self.needs
            if not any(n in facts for n in ((need,) if isinstance(need, str) else need))
        ]


def saturated(f: Facts) -> bool:
    """Requests wait most of the time."""
    return f.get("waits", 0.0) >= WAITS


def waiting(f: Facts) -> str:
    """The queue in words."""
    return f"{f['waiting']:.1f} requests wait on average, in {f['waits']:.0%} of the looks"


def for_room(f: Facts) -> float:
    """Less where newer vLLM says that most of the waiting do not wait for slots or KV."""
    return 1.0 if f.get("room", 1.0) >= 0.5 else 0.3


def dilutes(f: Facts) -> float:
    """Less where a step grows so much with the requests in it that more room buys little."""
    return 0.8 if f.get("shared_most", 1.0) < 0.4 else 1.0


def _more_room(f: Facts) -> list[str]:
    """What more room is worth, where the looks tell."""
    if "shared" not in f:
        return []
    most = f"at most × {1 / (1 - f['shared']):.2f}" if f["shared"] < 0.95 else "as much again"
    share = f"{f['shared']:.0%} of a step's time is the same however many share it"
    return [f"{share}: more room buys {most}"]


# --- room: who waits to run -----------------------------------------------------------------


def _kv(f: Facts) -> float:
    if not saturated(f):
        return 0.0
    full = 0.9 * ramp(f["kv"], 0.75, 0.92)
    if f["kv"] >= 0.5 and f.get("headroom", 9.0) < 1.0:
        full = max(full, 0.85)
    if f.get("preemptions", 0.0) > 0 and f["kv"] >= 0.7:
        full = max(full, 0.95)
    return full * for_room(f) * dilutes(f)


def _kv_evidence(f: Facts) -> list[str]:
    found = [waiting(f), f"the KV pool is {f['kv']:.0%} full while they do"]
    if "headroom" in f:
        found.append(f"there is room for {f['headroom']:.1f} more requests of the usual size")
    if f.get("preemptions", 0.0) > 0:
        found.append(f"{f['preemptions']:.2g} requests a second lose their KV to another one")
    return found + _more_room(f)


def _slots(f: Facts) -> float:
    if not saturated(f) or "at_cap" not in f:
        return 0.0
    guessed = f.readings["slots"].source.startswith("modelled")
    found = ramp(f["at_cap"], 0.3, 0.9) * (0.8 if guessed else 0.95)
    return found * for_room(f) * dilutes(f) * (1.0 if f.get("kv", 0.0) < 0.9 else 0.7)


def _slots_evidence(f: Facts) -> list[str]:
    guessed = f.readings["slots"].source.startswith("modelled")
    limit = "that looks like the limit" if guessed else "as many as may"
    full = f"{f['slots']:g} run in {f['at_cap']:.0%} of the looks while they do: {limit}"
    found = [waiting(f), full]
    if "kv" in f:
        found.append(f"the KV pool is only {f['kv']:.0%} full")
    return found + _more_room(f)


# --- the step: who waits although there is room ----------------------------------------------


def _in_the_way(f: Facts) -> bool:
    """Requests wait, and neither slots nor KV keep them out."""
    return saturated(f) and _kv(f) < 0.5 and _slots(f) < 0.5


def _device(name: str) -> Callable[[Facts], float]:
    return lambda f: ramp(f[name], 0.3, 0.75) if saturated(f) else 0.0


def _device_evidence(name: str, what: str) -> Callable[[Facts], list[str]]:
    return lambda f: [
        waiting(f),
        f"{f[name]:.0%} of the GPU's peak {what}, as the server estimates",
    ]


def _prefill(f: Facts) -> float:
    share = f["prompts"] / max(1e-9, f["prompts"] + f["tokens"])
    return 0.65 * ramp(share, 0.6, 0.9) if _in_the_way(f) else 0.0


def _prefill_evidence(f: Facts) -> list[str]:
    share = f["prompts"] / max(1e-9, f["prompts"] + f["tokens"])
    return [waiting(f), f"slots and KV have room, and {share:.0%} of all tokens are prompts'"]


def _idle_device(f: Facts) -> float:
    return 0.9 * ramp(1 - f["device_busy"], 0.25, 0.6) if saturated(f) else 0.0


def _idle_evidence(f: Facts) -> list[str]:
    return [waiting(f), f"and the GPU executes only {f['device_busy']:.0%} of the time"]


def _engine_host(f: Facts) -> float:
    return 0.9 * ramp(f["engine_host"], 0.4, 0.7) if _in_the_way(f) else 0.0


def _engine_host_evidence(f: Facts) -> list[str]:
    return [waiting(f), f"{f['engine_host']:.0%} of the engine's time is outside of its kernels"]


# --- delivery: what happens to a token after the engine ---------------------------------------


def lag(f: Facts) -> float:
    """How many times as long a token takes at a client as at the engine; 1 where that can't be
    told: too few of the probe's tokens, or preempted requests, of which a new one is the likeliest.
    """
    if not {"probe_itl", "itl"} <= set(f) or f["probe_gaps"] < FEW_GAPS or not f["itl"]:
        return 1.0
    if f.get("preemptions", 0.0) > 0.05 * f.get("requests", 0.0):
        return 1.0
    # A loop that is late once shifts the last token of an answer by so much, and each gap by less.
    late = f.get("probe_lag", 0.0) * f["probes"] / f["probe_gaps"]
    return f["probe_itl"] / f["itl"] if f["probe_itl"] - f["itl"] > LAG + late else 1.0


def _lag_evidence(f: Facts) -> list[str]:
    found = [
        f"between two tokens: {_ms(f['probe_itl'])} at a client, {_ms(f['itl'])} at the server"
    ]
    if "bunched" in f:
        found.append(f"{f['bunched']:.0%} of the tokens come together with the one before")
    return found


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms"


def _held(f: Facts) -> float:
    """Streams whose data wait for their readers, where the server says so."""
    return f.get("slow", 0.0)


def _network(f: Facts) -> float:
    far = ramp(lag(f), 1.3, 2.0)
    front = ramp(f["front"], 0.6, 0.85) if "front" in f else None
    slower = far * (0.8 if front is None else 0.95 * (1 - 0.8 * front))
    # Nearly every stream waits for its reader, our own with them: it is what they share.
    shared = 0.95 * ramp(_held(f), 0.4, 0.8)
    return max(slower if _held(f) < 0.1 or lag(f) >= 1.3 else 0.0, shared)


def _network_evidence(f: Facts) -> list[str]:
    found = _lag_evidence(f) if lag(f) > 1.3 else []
    if _held(f) > 0:
        found.append(f"data of {_held(f):.0%} of the streams wait for the way to their readers")
    if "front" in f:
        found.append(f"the front end uses {f['front']:.2f} of a core: it has time left")
    return found


def _client(f: Facts) -> float:
    some = ramp(_held(f), 0.02, 0.2) * (1 - ramp(_held(f), 0.5, 0.9))
    return 0.9 * some if lag(f) < 1.3 else 0.4 * some


def _client_evidence(f: Facts) -> list[str]:
    found = [f"data of {_held(f):.0%} of the streams wait for their readers"]
    return [*found, "and the probe's own stream keeps up"] if "probe_itl" in f else found


def _front(f: Facts) -> float:
    far = ramp(lag(f), 1.3, 2.0)
    if "front" not in f:
        return 0.8 * far
    return 0.95 * far * ramp(f["front"], 0.5, 0.85)


def _front_evidence(f: Facts) -> list[str]:
    found = _lag_evidence(f)
    if "front" in f:
        found.append(f"the front end uses {f['front']:.2f} cores, and one process has one")
    return found


def _outside(f: Facts) -> float:
    inside = f["running"] + f["waiting"]
    if f["outside"] < 2 or _held(f) >= 0.1:
        return 0.0
    return 0.95 * ramp(f["outside"] / (inside + 1), 0.5, 1.5)


def _outside_evidence(f: Facts) -> list[str]:
    inside = f["running"] + f["waiting"]
    found = [
        f"{f['outside'] + inside:.0f} requests are in the server, and its scheduler knows of "
        f"{inside:.0f}: the others are being tokenised, detokenised or written"
    ]
    if "ttft" in f:
        waited = f" of which {f['queue']:.2g} s in the queue" if "queue" in f else ""
        found.append(f"a first token takes {f['ttft']:.2g} s,{waited}".rstrip(","))
    if "kv" in f:
        found.append(f"the KV pool is {f['kv']:.0%} full")
    return found


R = Resource
ENGINE = (R.SLOTS, R.KV_CAPACITY, R.COMPUTE, R.BANDWIDTH)
"""What seems to bind where tokens are not taken away: requests stay, and hold their room."""

RULES: tuple[Rule, ...] = (
    Rule(R.KV_CAPACITY, "requests wait, and the KV pool is full or has no room for one more",
         ("waits", "kv"), _kv, _kv_evidence),
    Rule(R.SLOTS, "requests wait, as many run as may, and the KV pool has room",
         ("waits", ("slots", "level")), _slots, _slots_evidence),
    Rule(R.COMPUTE, "requests wait, and the GPU is near its peak FLOP/s",
         ("waits", "compute"), _device("compute"), _device_evidence("compute", "FLOP/s")),
    Rule(R.BANDWIDTH, "requests wait, and the GPU's memory is near its peak",
         ("waits", "bandwidth"), _device("bandwidth"), _device_evidence("bandwidth", "bytes/s")),
    Rule(R.COMPUTE, "requests wait, slots and KV have room, and nearly all tokens are prompts'",
         ("waits", "kv", "prompts", "tokens"), _prefill, _prefill_evidence),
    Rule(R.HOST, "requests wait, and the GPU idles",
         ("waits", "device_busy"), _idle_device, _idle_evidence, (R.SLOTS,)),
    Rule(R.HOST, "requests wait, slots and KV have room, and the engine works beside its kernels",
         ("waits", "engine_host"), _engine_host, _engine_host_evidence),
    Rule(R.NETWORK, "tokens reach a client far slower than the engine makes them, or wait for "
         "nearly all readers, and the front end is not busy",
         (("probe_itl", "slow"),), _network, _network_evidence, ENGINE),
    Rule(R.CLIENT, "tokens wait for some readers, and others keep up",
         ("slow",), _client, _client_evidence, ENGINE),
    Rule(R.HOST, "tokens reach a client far slower than the engine makes them, and the front "
         "end's process is busy",
         ("probe_itl", "itl"), _front, _front_evidence, ENGINE),
    Rule(R.HOST, "more requests are in the server than its scheduler knows of",
         ("running", "waiting", "outside"), _outside, _outside_evidence, ENGINE),
)  # fmt: skip
"""In no order: all are asked, and the strongest wins."""
