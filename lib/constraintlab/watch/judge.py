"""From the facts of a window to a `Diagnosis`: every rule is asked, and the strongest one wins.

Shares of a token's cost can't be computed where nobody counts the work, so a verdict from here has
none, and its `next` is the runner-up by the evidence, not a prediction. How far to trust it is its
`confidence`; two resources whose strengths are close are both named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from constraintlab.limits.diagnose import CLOSE
from constraintlab.limits.resource import Resource
from constraintlab.limits.verdict import Verdict
from constraintlab.load.slo import Slo
from constraintlab.watch.delivery import comparable
from constraintlab.watch.diagnosis import INSUFFICIENT, Diagnosis
from constraintlab.watch.facts import Facts, Told
from constraintlab.watch.gather import gather
from constraintlab.watch.late import late
from constraintlab.watch.remarks import asks, notes
from constraintlab.watch.rule import WAITS, Rule, saturated
from constraintlab.watch.rules import RULES
from constraintlab.watch.window import Window

SUPPORTED = 0.5
"""Strength from which a rule may name a constraint."""

HIGH, MEDIUM = 0.85, 0.65
"""Strengths from which a verdict's confidence is `high`, and `medium`."""

ENOUGH, PLENTY = 3, 5
"""Looks from which a window says anything, and from which it may be sure."""


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
    facts = gather(window, told, family)
    found = strengths(facts)
    blind = {r: r.lacks(facts) for r in RULES if r.lacks(facts)}
    whole = len(window.looks) >= ENOUGH
    if not whole or ("waits" not in facts and max(found.values(), default=0) < MEDIUM):
        verdict, sure = _insufficient(window, facts, "waits"), ""
    elif "running" not in facts and not saturated(facts) and max(found.values(), default=0) < HIGH:
        verdict, sure = _insufficient(window, facts, "running"), ""
    elif facts.get("tokens") == 0 and facts.get("running", 0.0) >= 1 and not saturated(facts):
        verdict, sure = _still(facts), ""
    else:
        verdict, sure = _verdict(window, facts, found, blind)
    return Diagnosis(
        verdict=verdict,
        confidence=sure,
        asks=asks(blind, facts, family),
        facts=facts,
        family=family,
        seconds=window.seconds,
        looks=len(window.looks),
        gaps=window.gaps,
        notes=tuple(notes(window, facts)),
    )


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
    elif _rival_unseen(names[0][0], blind) or len(window.looks) < PLENTY:
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
    if comparable(facts):
        evidence.append("clients get tokens as fast as the server makes them")
    else:
        sure = min(sure, MEDIUM)
        evidence.append("what clients see is not known: too few of a probe's tokens to compare")
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


def _still(facts: Facts) -> Verdict:
    missing = (
        f"{facts['running']:.0f} requests run and not one token is counted: the engine stands "
        "still, computes long prompts, or counts its tokens under another name"
    )
    return Verdict(INSUFFICIENT, (), (), {}, {}, None, None, missing=(missing,))


def _insufficient(window: Window, facts: Facts, name: str) -> Verdict:
    if len(window.looks) < ENOUGH:
        missing = f"only {len(window.looks)} of the looks came through, {ENOUGH} are needed"
    else:
        missing = f"{name}: {facts.why(name)}"
    return Verdict(INSUFFICIENT, (), (), {}, {}, None, None, missing=(missing,))


RIVALS = {Resource.KV_CAPACITY: Resource.SLOTS, Resource.SLOTS: Resource.KV_CAPACITY}
"""Whose rule must have been able to look before the other one is sure."""


def _rival_unseen(name: Resource, blind: Mapping[Rule, list[str]]) -> bool:
    return any(rule.resource is RIVALS.get(name) for rule in blind)


def _confidence(strength: float) -> str:
    return "high" if strength >= HIGH else "medium" if strength >= MEDIUM else "low"
