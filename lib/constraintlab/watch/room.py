"""Why requests wait to run: no room in the KV pool, no slot, or a step that is too slow."""

from __future__ import annotations

from collections.abc import Callable

from constraintlab.watch.facts import Facts
from constraintlab.watch.numbers import amount
from constraintlab.watch.rule import ramp, saturated, waiting


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


def kv(f: Facts) -> float:
    if not saturated(f):
        return 0.0
    full = 0.9 * ramp(f["kv"], 0.75, 0.92)
    if f["kv"] >= 0.5 and f.get("headroom", 9.0) < 1.0:
        full = max(full, 0.85)
    if f.get("preemptions", 0.0) > 0 and f["kv"] >= 0.7:
        full = max(full, 0.95)
    return full * for_room(f) * dilutes(f)


def kv_evidence(f: Facts) -> list[str]:
    found = [waiting(f), f"the KV pool is {f['kv']:.0%} full while they do"]
    if "headroom" in f:
        found.append(f"there is room for {f['headroom']:.1f} more requests of the usual size")
    if f.get("preemptions", 0.0) > 0:
        found.append(f"{amount(f['preemptions'])} requests a second lose their KV to another one")
    return found + _more_room(f)


def slots(f: Facts) -> float:
    if not saturated(f) or "at_cap" not in f:
        return 0.0
    guessed = f.readings["slots"].source.startswith("modelled")
    found = ramp(f["at_cap"], 0.3, 0.9) * (0.8 if guessed else 0.95)
    return found * for_room(f) * dilutes(f) * (1.0 if f.get("kv", 0.0) < 0.9 else 0.7)


def slots_evidence(f: Facts) -> list[str]:
    guessed = f.readings["slots"].source.startswith("modelled")
    limit = "that looks like the limit" if guessed else "as many as may"
    full = f"{f['slots']:g} run in {f['at_cap']:.0%} of the looks while they do: {limit}"
    found = [waiting(f), full]
    if "kv" in f:
        found.append(f"the KV pool is only {f['kv']:.0%} full")
    return found + _more_room(f)


def in_the_way(f: Facts) -> bool:
    """Requests wait, and neither slots nor KV keep them out."""
    return saturated(f) and kv(f) < 0.5 and slots(f) < 0.5


def device(name: str) -> Callable[[Facts], float]:
    return lambda f: ramp(f[name], 0.3, 0.75) if saturated(f) else 0.0


def device_evidence(name: str, what: str) -> Callable[[Facts], list[str]]:
    return lambda f: [
        waiting(f),
        f"{f[name]:.0%} of the GPU's peak {what}, as the server estimates",
    ]


def prefill(f: Facts) -> float:
    share = f["prompts"] / max(1e-9, f["prompts"] + f["tokens"])
    return 0.65 * ramp(share, 0.6, 0.9) if in_the_way(f) else 0.0


def prefill_evidence(f: Facts) -> list[str]:
    share = f["prompts"] / max(1e-9, f["prompts"] + f["tokens"])
    return [waiting(f), f"slots and KV have room, and {share:.0%} of all tokens are prompts'"]


def idle_device(f: Facts) -> float:
    return 0.9 * ramp(1 - f["device_busy"], 0.25, 0.6) if saturated(f) else 0.0


def idle_evidence(f: Facts) -> list[str]:
    return [waiting(f), f"and the GPU executes only {f['device_busy']:.0%} of the time"]


def engine_host(f: Facts) -> float:
    if in_the_way(f):
        return 0.9 * ramp(f["engine_host"], 0.4, 0.7)
    # With no room either the two can't be told apart: does a step cost less if more share it?
    return 0.85 * ramp(f["engine_host"], 0.5, 0.9) if saturated(f) else 0.0


def engine_host_evidence(f: Facts) -> list[str]:
    return [waiting(f), f"{f['engine_host']:.0%} of the engine's time is outside of its kernels"]
