"""From a stack and a machine to a `Verdict`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from constraintlab.limits.capacities import Capacities
from constraintlab.limits.compose import slowest, throughput
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource
from constraintlab.limits.shares import shares as shares_of
from constraintlab.limits.stack import Stack, scale
from constraintlab.limits.verdict import DISAGREE, Verdict
from constraintlab.limits.worth import worth

CLOSE = 0.8
"""A second resource with at least this part of the largest share is named too."""

BEHIND = 1.10
"""A fix worth less than this meets another limit at once, so that limit is named too."""


def needs(stack: Stack) -> list[tuple[str, str]]:
    """The capacities that a verdict on this stack rests on, as (dotted name, why)."""
    wanted = {}
    for k in stack.kernels:
        total = k.fixed + k.each
        if total.flops:
            wanted[f"compute.{k.unit}"] = k.name
        if total.bytes:
            wanted["bandwidth"] = k.name
        if total.fresh:
            wanted["pages"] = k.name
    return list(wanted.items())


def diagnose(
    stack: Stack,
    caps: Capacities,
    *,
    measured: Estimate | None = None,
    unit: str = "tok/s",
    sources: Mapping[str, str] | None = None,
    windows: Sequence[Stack] = (),
) -> Verdict:
    """The verdict on `stack` running on a machine with `caps`.

    measured: the throughput observed, in `unit`; the prediction is held against it. A
    capacity that the stack needs and nobody measured gives `insufficient evidence`, never a
    guess. windows: the stack as parts of the time that was counted show it, or runs of it; where
    one of them alone would name something else, the verdict is in doubt.
    """
    known = dict(caps.rates())
    missing = tuple(
        f"{name} (for {why}): {known[name].source if name in known else 'n/a: not probed'}"
        for name, why in needs(stack)
        if name not in known or known[name].missing
    )
    labels = {name: known[name].source for name, _ in needs(stack) if name in known}
    labels |= {"demands": "counted"} | dict(sources or {})
    pace = slowest(stack, caps) if not missing else None
    if pace is None or not math.isfinite(pace.x):
        return Verdict(
            "insufficient evidence",
            (),
            (),
            {},
            {},
            None,
            measured,
            unit,
            missing=missing or ("no demand was counted: nothing says what the work asks for",),
            sources=labels,
        )
    shares = shares_of(stack, caps)
    x = throughput(stack, caps)
    worths = {r: worth(stack, caps, r) for r in Resource}
    names = _constraint(stack, caps, shares)
    after = scale(stack, caps, names[0], math.inf)
    return Verdict(
        outcome="demand" if names[0] is Resource.DEMAND else "bound",
        constraint=names,
        next=_constraint(*after, shares_of(*after)),
        shares={r: shares.get(r, 0.0) for r in Resource},
        worth=worths,
        predicted=x,
        measured=measured,
        unit=unit,
        evidence=tuple(_evidence(pace, x, measured, names, shares, worths)),
        doubts=tuple(_doubts(names, windows, caps)),
        sources=labels,
        stack=stack,
        caps=caps,
    )


def _doubts(names, windows, caps):
    alone = [_constraint(w, caps, shares_of(w, caps)) for w in windows]
    others = [found for found in alone if set(found) != set(names)]
    for found in dict.fromkeys(others):
        yield (
            f"{others.count(found)} of {len(windows)} windows alone would name "
            f"{' and '.join(r.label for r in found) or 'nothing'}: the order is not settled"
        )


def _ranked(shares: Mapping[Resource, float]) -> tuple[Resource, ...]:
    return tuple(sorted(shares, key=lambda r: -shares[r]))


def _constraint(stack, caps, shares) -> tuple[Resource, ...]:
    """The largest share, and a second one: right behind it, where that leaves it little worth, or
    else close to it. Empty where nothing has a share: nothing limits."""
    if not shares:
        return ()
    first, *others = _ranked(shares)
    if worth(stack, caps, first) < BEHIND:
        after = scale(stack, caps, first, math.inf)
        behind = _ranked(shares_of(*after))
        if behind and behind[0] is not first:
            return first, behind[0]
    if others and shares[others[0]] >= CLOSE * shares[first]:
        return first, others[0]
    return (first,)


def _evidence(pace, x, measured, names, shares, worths):
    first = names[0]
    if first is not Resource.DEMAND:
        yield f"{shares[first]:.0%} of a token's cost is {first.label}"
    if first is Resource.HOST:
        yield from _stages(pace)
    if worths[first] < BEHIND and len(names) > 1:
        yield (
            f"{names[1].label} stands right behind: without {first.label} only ×{worths[first]:.2f}"
        )
    elif len(names) > 1:
        yield f"{names[1].label} is close, with {shares[names[1]]:.0%}"
    if measured and measured.value:
        off = x / measured.value - 1
        if abs(off) > DISAGREE:
            yield (
                f"the model says {abs(off):.0%} {'more' if off > 0 else 'less'} than was "
                "measured: it misses something, so don't build on this verdict"
            )
        else:
            yield f"the model is within {abs(off):.0%} of the measurement"


def _stages(pace):
    """What most of the host's time is: one stage is what a fix would begin with."""
    spent = Counter()
    for c in pace.costs:
        if c.resource is Resource.HOST:
            spent[c.part] += c.each if math.isinf(pace.batch) else c.at(pace.batch)
    if len(spent) > 1 and spent.total():
        (stage, most), *_ = spent.most_common(1)
        yield f"{most / spent.total():.0%} of the host's time is {stage}"
