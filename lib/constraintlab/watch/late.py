"""`Late`: whether a promise is kept at p99, and if not, what the late requests waited for.

Below saturation nothing binds on average and some are late all the same. Histograms have no
requests, only bounds: the p99 of a latency lies in a bucket, and beside it lie the p99s of its
parts. The largest part is what the late ones waited for; if it is the queue, the rules say what
for, asked of the looks in which something waited.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields

from constraintlab.load.slo import Slo
from constraintlab.watch.facts import Facts
from constraintlab.watch.numbers import amount
from constraintlab.watch.window import Window

P = 0.99

PARTS = {
    "ttft": ("server.ttft_s", {"in the queue": "server.queue_s", "in prefill": "server.prefill_s"}),
    "itl": ("server.itl_s", {}),
    "e2e": ("server.e2e_s", {"in the queue": "server.queue_s", "in prefill": "server.prefill_s",
                             "in decode": "server.decode_s"}),
}  # fmt: skip
"""What is promised: its histogram, and those of its parts."""

PROBED = {"ttft": "probe_ttft_max"}
"""What the probe knows of it."""


@dataclass(frozen=True)
class Late:
    """One promise. p99: the bounds between which it lies, None if nothing was observed. missed:
    None where the bounds lie on both sides of the limit. share: of those that are late for certain.
    waited: where the late ones did, and for what.
    """

    name: str
    limit: float
    p99: tuple[float, float] | None
    missed: bool | None
    share: float | None
    waited: str = ""

    def as_dict(self) -> dict:
        """For JSON; a bound that is beyond all buckets is null."""
        found = asdict(self)
        if self.p99:
            found["p99"] = [b if math.isfinite(b) else None for b in self.p99]
        return found

    def __str__(self) -> str:
        promise = f"{self.name} ≤ {amount(self.limit, 's')}"
        if self.p99 is None:
            return f"{promise}: nothing was observed"
        where = f"p99 is {_between(self.p99)}"
        if self.missed is None:
            return f"{promise}: {where}, which does not tell"
        if not self.missed:
            return f"{promise}: kept, {where}" + (f"; {self.waited}" if self.waited else "")
        few = f", at least {self.share:.1%} are late" if self.share else ""
        share = ", all are late" if (self.share or 0.0) > 0.999 else few
        waits = f". They waited {self.waited}" if self.waited else ""
        return f"{promise}: missed, {where}{share}{waits}"


def late(window: Window, facts: Facts, slo: Slo, binds: str = "") -> tuple[Late, ...]:
    """Every promise of an SLO. binds: what the rules name for the looks in which any waited."""
    found = []
    for f in fields(slo):
        limit = getattr(slo, f.name)
        if limit is None or f.name not in PARTS:
            continue
        name, parts = PARTS[f.name]
        p99 = window.quantile(name, P)
        missed = None if p99 is None else _missed(p99, limit)
        why = ""
        if missed:
            why = _gaps(facts) if f.name == "itl" else _part(window, p99, parts, binds)
        elif facts.get(PROBED.get(f.name, ""), 0.0) > limit:
            took = amount(facts[PROBED[f.name]], "s")
            why = f"but a probe took {took}: one beyond the p99, or its way to the client is long"
        found.append(Late(f.name, limit, p99, missed, window.over(name, limit), why))
    return tuple(found)


def _missed(p99: tuple[float, float], limit: float) -> bool | None:
    if p99[0] >= limit:
        return True
    return False if p99[1] <= limit else None


def _part(window: Window, whole: tuple[float, float], parts: dict[str, str], binds: str) -> str:
    """The part whose p99 is the largest; none where even all of them do not make the whole."""
    known = {label: p for label, name in parts.items() if (p := window.quantile(name, P))}
    if not known:
        return ""
    if sum(p[1] for p in known.values()) < 0.5 * whole[0]:
        return "neither in the queue nor in the engine: in the front end, before or after them"
    label = max(known, key=lambda part: known[part][0] + min(known[part][1], 1e9))
    what = f", for {binds}" if label == "in the queue" and binds else ""
    return f"{label} (p99 {_between(known[label])}){what}"


def _gaps(facts: Facts) -> str:
    """What a long gap between two tokens is likely to be."""
    found = []
    if facts.get("preemptions", 0.0) > 0:
        found.append("for their KV, which another request took: it is computed again")
    if facts.get("slow", 0.0) >= 0.1:
        found.append("for their readers: requests are paused for them")
    if facts.get("prompts", 0.0) > facts.get("tokens", math.inf):
        found.append("for others' prompts in the same steps")
    return " or ".join(found)


def _between(bounds: tuple[float, float]) -> str:
    low, high = bounds
    if not math.isfinite(high):
        return f"over {amount(low, 's')}"
    return f"{amount(low, 's')} to {amount(high, 's')}" if low else f"up to {amount(high, 's')}"
