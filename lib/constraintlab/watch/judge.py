"""From the facts of a window to a `Diagnosis`: every rule is asked, and the strongest one wins.

Shares of a token's cost can't be computed where nobody counts the work, so a verdict from here has
none, and its `next` is the runner-up by the evidence, not a prediction. How far to trust it is its
`confidence`; two resources whose strengths are close are both named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from constraintlab.limits.diagnose import CLOSE
from constraintlab.limits.resource import Resource
from constraintlab.limits.verdict import Verdict
from constraintlab.load.slo import Slo
from constraintlab.watch.advice import to_switch_on, to_try
from constraintlab.watch.facts import ENOUGH, Facts, Told
from constraintlab.watch.late import Late, late
from constraintlab.watch.rules import RULES, WAITS, Rule, saturated
from constraintlab.watch.window import Window

SUPPORTED = 0.5
"""Strength from which a rule may name a constraint."""

HIGH, MEDIUM = 0.85, 0.65
"""Strengths from which a verdict's confidence is `high`, and `medium`."""

INSUFFICIENT = "insufficient evidence"


@dataclass(frozen=True)
class Diagnosis:
    """verdict: with empty shares and worth where the work is not counted. confidence: `high`,
    `medium`, `low`; empty without a verdict. tries: what to do about the constraint. asks: what to
    switch on to know more. notes: what a reader must know of the window. late: promises, and
    whether they are kept.
    """

    verdict: Verdict
    confidence: str
    tries: tuple[str, ...]
    asks: tuple[str, ...]
    facts: Facts
    family: str = ""
    seconds: float = 0.0
    looks: int = 0
    gaps: int = 0
    notes: tuple[str, ...] = ()
    late: tuple[Late, ...] = ()

    @property
    def known(self) -> bool:
        """Whether there is a verdict."""
        return self.verdict.outcome != INSUFFICIENT

    def as_dict(self) -> dict:
        """As `constraintlab diagnose --json` prints it; its help says what each key means."""
        readings = self.facts.readings
        return {
            "outcome": self.verdict.outcome,
            "constraint": [r.value for r in self.verdict.constraint],
            "runner_up": [r.value for r in self.verdict.next],
            "confidence": self.confidence,
            "evidence": list(self.verdict.evidence),
            "try": list(self.tries),
            "switch_on": list(self.asks),
            "late": [promise.as_dict() for promise in self.late],
            "notes": list(self.notes),
            "server": self.family,
            "window": {"seconds": self.seconds, "looks": self.looks, "gaps": self.gaps},
            "facts": {n: {"value": r.value, "source": r.source} for n, r in readings.items()},
            "engines": {n: dict(p) for n, p in self.facts.parts.items()},
            "verdict": self.verdict.as_dict(),
        }


def judge(
    window: Window, family: str = "", told: Told | None = None, slo: Slo | None = None
) -> Diagnosis:
    """What limits the server in this window. family: as `looks.Looker` knows it; slo: what was
    promised."""
    found = _judge(window, family, told)
    if not slo:
        return found
    return replace(found, late=late(window, found.facts, slo, _waited_for(window, family, told)))


def _waited_for(window: Window, family: str, told: Told | None) -> str:
    """What binds in the looks in which something waited; empty where they don't say."""
    waits = window.when(lambda s: bool(s.values.get("server.waiting")))
    found = _judge(waits, family, told).verdict
    names = [r.label for r in found.constraint if r is not Resource.DEMAND]
    return " or ".join(names)


def _judge(window: Window, family: str, told: Told | None) -> Diagnosis:
    facts = Facts.of(window, told)
    found = strengths(facts)
    blind = {r: r.lacks(facts) for r in RULES if r.lacks(facts)}
    whole = len(window.looks) >= ENOUGH
    if not whole or ("waits" not in facts and max(found.values(), default=0) < MEDIUM):
        verdict, sure = _insufficient(window, facts, "waits"), ""
    elif "running" not in facts and not saturated(facts) and max(found.values(), default=0) < HIGH:
        verdict, sure = _insufficient(window, facts, "running"), ""
    else:
        verdict, sure = _verdict(window, facts, found, blind)
    first = verdict.constraint[0] if verdict.constraint else None
    return Diagnosis(
        verdict=verdict,
        confidence=sure,
        tries=to_try(first, family) if first else (),
        asks=_asks(blind, facts, family),
        facts=facts,
        family=family,
        seconds=window.seconds,
        looks=len(window.looks),
        gaps=window.gaps,
        notes=tuple(_notes(window, facts)),
    )


def with_counted(found: Diagnosis, counted: Verdict | None) -> Diagnosis:
    """The same with what a composed model makes of counted work: shares, worth, a prediction.

    Where it names something else, both are named, the evidence of gauges and clients first. Where
    its prediction is far from what was measured it is left out, and that is said.
    """
    if counted is None or not found.known or not counted.constraint:
        return found
    if not counted.sure:
        off = f"{counted.disagreement:.0%}"
        note = f"the model of counted work is {off} away from what was measured: it is left out"
        return replace(found, notes=(*found.notes, note))
    first, theirs = found.verdict.constraint[0], counted.constraint[0]
    names = tuple(dict.fromkeys((first, *counted.constraint[:1], *found.verdict.constraint)))[:2]
    evidence, sure = list(found.verdict.evidence), found.confidence
    if theirs is first:
        names = tuple(dict.fromkeys((first, *counted.constraint[1:])))
    elif first is not Resource.DEMAND:
        share = counted.shares[theirs]
        ours, worth = counted.shares.get(first, 0.0), counted.worth.get(first, 1.0)
        evidence.append(
            f"by counted work {theirs.label} has the largest share, {share:.0%}; {first.label} has "
            f"{ours:.0%}, and without that limit it would be × {worth:.2f}"
        )
        sure = "medium" if sure == "high" else sure
    else:
        names = (first,)
    verdict = replace(
        counted, outcome=found.verdict.outcome, constraint=names,
        evidence=tuple(dict.fromkeys([*evidence, *counted.evidence])),
        sources={**found.verdict.sources, **counted.sources},
    )  # fmt: skip
    return replace(found, verdict=verdict, confidence=sure)


def strengths(facts: Facts) -> dict[Rule, float]:
    """Of the rules that can see and hold, symptoms of another one counted half."""
    raw = {r: s for r in RULES if not r.lacks(facts) and (s := r.strength(facts)) > 0}
    masked = {name for r, s in raw.items() if s >= SUPPORTED for name in r.explains}
    return {r: s / 2 if r.resource in masked else s for r, s in raw.items()}


def _verdict(window: Window, facts: Facts, found: Mapping[Rule, float], blind) -> tuple:
    best: dict[Resource, tuple[float, Rule]] = {}
    for rule, strength in found.items():
        if strength > best.get(rule.resource, (0.0, rule))[0]:
            best[rule.resource] = strength, rule
    ranked = sorted(best.items(), key=lambda item: -item[1][0])
    named = [(r, s, rule) for r, (s, rule) in ranked if s >= SUPPORTED]
    if not named and saturated(facts):
        return _unexplained(window, facts), ""
    if not named:
        return _demand(window, facts)
    first = named[0][1]
    names = [item for item in named if item[1] >= CLOSE * first][:2]
    rest = [r for r, _ in ranked if r not in {n for n, *_ in names}]
    evidence = [e for _, _, rule in names for e in rule.evidence(facts)]
    if len(names) > 1:
        evidence.append(f"{names[0][0].label} and {names[1][0].label} can't be told apart well")
        first = min(first, MEDIUM)
    elif _rival_unseen(names[0][0], blind) or len(window.looks) < 5:
        first = min(first, HIGH - 0.01)
    chosen = tuple(n for n, *_ in names)
    return _made("bound", chosen, tuple(rest[:1]) or _behind(facts, chosen), evidence, window,
                 facts), _confidence(first)  # fmt: skip


def _made(outcome, names, after, evidence, window: Window, facts: Facts) -> Verdict:
    measured = window.spread("server.tokens_per_s")
    return Verdict(
        outcome,
        tuple(names),
        tuple(after),
        {},
        {},
        None,
        None if measured.missing else measured,
        evidence=tuple(dict.fromkeys(evidence)),
        sources={n: r.source for n, r in facts.readings.items() if r.value is not None},
    )


def _demand(window: Window, facts: Facts) -> tuple:
    """Nobody waits, or seldom: then for what the rules name, asked as if somebody always did."""
    waits = facts.get("waits", 0.0)
    evidence = [f"requests wait in {waits:.0%} of the looks" if waits else "no request waits"]
    if "running" in facts:
        evidence.append(f"{facts['running']:.1f} run on average while any does")
    if "kv" in facts:
        evidence.append(f"the KV pool is {facts['kv']:.0%} full" + " while any waits" * (waits > 0))
    sure = HIGH if waits < WAITS / 5 else MEDIUM
    if "probe_itl" in facts and "itl" in facts:
        evidence.append("clients get tokens as fast as the server makes them")
    else:
        sure = min(sure, MEDIUM)
        evidence.append("what clients see is not known: no probe's tokens to compare")
    names, after = (Resource.DEMAND,), _behind(facts, (Resource.DEMAND,))
    bursts = strengths(facts.but(waits=1.0)) if waits else {}
    if bursts and max(bursts.values()) >= SUPPORTED:
        after = (max(bursts, key=bursts.get).resource,)
        if waits >= CLOSE * WAITS:
            names, after, sure = (Resource.DEMAND, *after), (), min(sure, MEDIUM)
    return _made("demand", names, after, evidence, window, facts), _confidence(sure)


def _behind(facts: Facts, names: tuple[Resource, ...]) -> tuple[Resource, ...]:
    """Whichever room is fuller: it would bind first if more came."""
    full = {}
    if "kv" in facts:
        full[Resource.KV_CAPACITY] = facts["kv"]
    if "slots" in facts and "running" in facts and facts["slots"]:
        full[Resource.SLOTS] = facts["running"] / facts["slots"]
    left = {r: s for r, s in full.items() if r not in names and s >= 0.1}
    return (max(left, key=left.get),) if left else ()


def _unexplained(window: Window, facts: Facts) -> Verdict:
    evidence = [f"requests wait in {facts['waits']:.0%} of the looks"]
    if "kv" in facts:
        evidence.append(f"the KV pool is {facts['kv']:.0%} full")
    missing = [f"{n}: {facts.why(n)}" for n in ("kv", "slots", "device_busy") if facts.why(n)]
    return Verdict(INSUFFICIENT, (), (), {}, {}, None, None, evidence=tuple(evidence),
                   missing=tuple(missing) or ("nothing that is exported says what they wait for",)
                   )  # fmt: skip


def _insufficient(window: Window, facts: Facts, name: str) -> Verdict:
    if len(window.looks) < ENOUGH:
        missing = f"{len(window.looks)} looks came through, {ENOUGH} are needed"
    else:
        missing = f"{name}: {facts.why(name)}"
    return Verdict(INSUFFICIENT, (), (), {}, {}, None, None, missing=(missing,))


RIVALS = {Resource.KV_CAPACITY: Resource.SLOTS, Resource.SLOTS: Resource.KV_CAPACITY}
"""Whose rule must have been able to look before the other one is sure."""


def _rival_unseen(name: Resource, blind: Mapping[Rule, list[str]]) -> bool:
    return any(rule.resource is RIVALS.get(name) for rule in blind)


def _confidence(strength: float) -> str:
    return "high" if strength >= HIGH else "medium" if strength >= MEDIUM else "low"


def _asks(blind: Mapping[Rule, list[str]], facts: Facts, family: str) -> tuple[str, ...]:
    wanted = dict.fromkeys(fact for lacks in blind.values() for fact in lacks)
    if not saturated(facts):
        # Who waits for nothing has no use for what tells one wait from another.
        wanted = {n: None for n in wanted if n not in ("compute", "bandwidth", "device_busy")}
    # Where nothing waited there is nothing to see of the limit.
    wanted = {n: None for n in wanted if n != "slots" or saturated(facts)}
    return tuple(filter(None, (to_switch_on(n, family) for n in wanted)))


def _notes(window: Window, facts: Facts):
    if window.gaps:
        yield f"{window.gaps} of {len(window.samples)} looks failed: they count for nothing"
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
            low, high = min(parts, key=parts.get), max(parts, key=parts.get)
            yield f"{name} by engine: {parts[low]:.2g} ({low}) to {parts[high]:.2g} ({high})"
