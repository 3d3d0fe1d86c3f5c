"""What stands below a verdict: what to switch on to know more, and what to know of the window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from constraintlab.watch.advice import to_switch_on
from constraintlab.watch.facts import Facts
from constraintlab.watch.numbers import amount
from constraintlab.watch.rule import Rule, saturated
from constraintlab.watch.window import Window


def asks(blind: Mapping[Rule, list[str]], facts: Facts, family: str) -> tuple[str, ...]:
    wanted = dict.fromkeys(fact for lacks in blind.values() for fact in lacks)
    if not saturated(facts):
        # Who waits for nothing has no use for what tells one wait from another.
        wanted = {n: None for n in wanted if n not in ("compute", "bandwidth", "device_busy")}
    # Where nothing waited there is nothing to see of the limit.
    wanted = {n: None for n in wanted if n != "slots" or saturated(facts)}
    return tuple(filter(None, (to_switch_on(n, family) for n in wanted)))


def notes(window: Window, facts: Facts) -> Iterator[str]:
    if window.gaps:
        yield f"{window.gaps} of {len(window.samples)} looks failed: they count for nothing"
    if facts.get("rejected"):
        yield f"{amount(facts['rejected'])} requests a second are turned away"
    for name in ("running", "waiting", "kv"):
        if "no evidence" in facts.why(name):
            yield f"{name}: {facts.why(name)}"
    if "Little" in facts.readings["waiting"].source:
        yield "the gauge of waiting requests reads 0 although queue times say otherwise"
    if facts.get("probe_tokens") and window.seconds:
        load = facts["probe_tokens"] / window.seconds
        share = f", {load / facts['tokens']:.1%} of all" if facts.get("tokens") else ""
        yield f"the probe added {load:.1f} tokens/s{share}"
    if facts.get("probes_failed"):
        yield f"{facts['probes_failed']:g} probes failed"
    if facts.get("probe_lag", 0.0) > 0.02:
        yield f"the probe itself was up to {facts['probe_lag'] * 1e3:.0f} ms late: a busy machine"
    for name, parts in facts.parts.items():
        if len(parts) > 1:
            ends = min(parts, key=parts.get), max(parts, key=parts.get)
            low, high = (f"{amount(parts[end])} ({end})" for end in ends)
            yield f"{name} by engine: {low} to {high}"
