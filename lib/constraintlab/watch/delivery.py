"""What happens to a token after the engine: the front end, the network, the readers."""

from __future__ import annotations

from constraintlab.watch.facts import Facts
from constraintlab.watch.numbers import amount
from constraintlab.watch.rule import ramp

LAG = 0.002
"""Seconds between two tokens that a client must see beyond the server's own to speak of a lag."""

FEW_GAPS = 40
"""Gaps between a probe's tokens that are too few for a mean."""


def comparable(f: Facts) -> bool:
    """Whether a client's tokens can be held against the server's: not with too few of them, nor
    where requests are preempted, of which a new one is the likeliest."""
    if not {"probe_itl", "itl"} <= set(f) or f["probe_gaps"] < FEW_GAPS or not f["itl"]:
        return False
    return f.get("preemptions", 0.0) <= 0.05 * f.get("requests", 0.0)


def lag(f: Facts) -> float:
    """How many times as long a token takes at a client as at the engine; 1 where nothing tells."""
    if not comparable(f):
        return 1.0
    # A loop that is late once shifts the last token of an answer by so much, and each gap by less.
    late = f.get("probe_lag", 0.0) * f["probes"] / f["probe_gaps"]
    return f["probe_itl"] / f["itl"] if f["probe_itl"] - f["itl"] > LAG + late else 1.0


def _lag_evidence(f: Facts) -> list[str]:
    seen, made = amount(f["probe_itl"], "s"), amount(f["itl"], "s")
    found = [f"between two tokens: {seen} at a client, {made} at the server"]
    if "bunched" in f:
        found.append(f"{f['bunched']:.0%} of the tokens come together with the one before")
    return found


def _held(f: Facts) -> float:
    """Streams whose data wait for their readers, where the server says so."""
    return f.get("slow", 0.0)


def network(f: Facts) -> float:
    far = ramp(lag(f), 1.3, 2.0)
    front = ramp(f["front"], 0.6, 0.85) if "front" in f else None
    slower = far * (0.8 if front is None else 0.95 * (1 - 0.8 * front))
    # Nearly every stream waits for its reader, our own with them: it is what they share.
    shared = 0.95 * ramp(_held(f), 0.4, 0.8)
    return max(slower if _held(f) < 0.1 or lag(f) >= 1.3 else 0.0, shared)


def network_evidence(f: Facts) -> list[str]:
    found = _lag_evidence(f) if lag(f) > 1.3 else []
    if _held(f) > 0:
        found.append(f"data of {_held(f):.0%} of the streams wait for the way to their readers")
    if "front" in f:
        found.append(f"the front end uses {f['front']:.2f} of a core: it has time left")
    return found


def client(f: Facts) -> float:
    some = ramp(_held(f), 0.02, 0.2) * (1 - ramp(_held(f), 0.5, 0.9))
    return 0.9 * some if lag(f) < 1.3 else 0.4 * some


def client_evidence(f: Facts) -> list[str]:
    found = [f"data of {_held(f):.0%} of the streams wait for their readers"]
    return [*found, "and the probe's own stream keeps up"] if "probe_itl" in f else found


def front(f: Facts) -> float:
    far = ramp(lag(f), 1.3, 2.0)
    if f.get("itl_at_front"):
        # SGLang times its tokens where they leave the front end: that is on both sides of the lag.
        return 0.4 * far
    if "front" not in f:
        return 0.8 * far
    return 0.95 * far * ramp(f["front"], 0.5, 0.85)


def front_evidence(f: Facts) -> list[str]:
    found = _lag_evidence(f)
    if "front" in f:
        found.append(f"the front end uses {f['front']:.2f} cores, and one process has one")
    return found


def outside(f: Facts) -> float:
    inside = f["running"] + f["waiting"]
    if f["outside"] < 2 or _held(f) >= 0.1:
        return 0.0
    return 0.95 * ramp(f["outside"] / (inside + 1), 0.5, 1.5)


def outside_evidence(f: Facts) -> list[str]:
    inside = f["running"] + f["waiting"]
    found = [
        f"{f['outside'] + inside:.0f} requests are in the server, and its scheduler knows of "
        f"{inside:.0f}: the others are being tokenised, detokenised or written"
    ]
    if "ttft" in f:
        waited = f" of which {amount(f['queue'], 's')} in the queue" if "queue" in f else ""
        found.append(f"a first token takes {amount(f['ttft'], 's')},{waited}".rstrip(","))
    if "kv" in f:
        found.append(f"the KV pool is {f['kv']:.0%} full")
    return found
