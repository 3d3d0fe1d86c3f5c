"""The tables of lab 08: plans, tiers, rounds of a game day."""

from __future__ import annotations

from collections.abc import Sequence

from constraintlab.course.planning import METRICS, Sizes
from constraintlab.course.show import Table
from constraintlab.course.tail_tables import ms
from constraintlab.course.tiers import Tiered, gain
from constraintlab.engine.ledger import CAUSES
from constraintlab.limits.estimate import Estimate

SLOWEST = {"ttft": "first token", "e2e": "whole answer"}


def plans(found: Sizes, most: int) -> Table:
    """What was tried, up to so many replicas beyond the plan: the mean and the tail of each."""
    p, metric = found.p, next(m for m in METRICS if getattr(found.slo, m) is not None)
    rows = []
    for s in found.tried:
        if s.replicas > found.by_tail.replicas + most:
            continue
        said, (low, high) = s.all(metric), s.spread(metric, p)
        cause, seconds = next(iter(s.spent(metric).items()))
        mark = {found.by_mean.replicas: " ◀ by the mean", found.by_tail.replicas: f" ◀ by p{p:g}"}
        rows.append((
            f"{s.replicas}{mark.get(s.replicas, '')}", ms(said.mean), ms(said[p]),
            f"{ms(low)} to {ms(high)}", f"{CAUSES[cause]}, {ms(seconds)}",
        ))  # fmt: skip
    name = SLOWEST[metric]
    heads = ("replicas", f"{name}, mean", f"p{p:g}", f"p{p:g} of one run", "the slowest wait for")
    return Table(heads, rows, f"Promised: {found.slo}. Virtual clock, every figure modelled.")


def tiers(*runs: Tiered) -> Table:
    """Runs of the tiers beside the first of them; what was modelled beside what was measured."""
    rows = [
        (
            r.tiers.name, _rate(r.modelled), _rate(r.measured),
            "" if r is runs[0] else f"×{gain(runs[0], r).value:.2f}",
            " and ".join(x.label for x in r.verdict.constraint), _spent(r),
        )
        for r in runs
    ]  # fmt: skip
    heads = ("replicas", "modelled tok/s", "measured tok/s", "gain", "what binds", "cores spent")
    where = "Slots are the decode tier's room, compute is the prefill tier's device."
    why = next((r.measured.source for r in runs if not r.real), "")
    return Table(heads, rows, f"{where} Measured: {why}." if why else where)


def _rate(e: Estimate) -> str:
    return "n/a" if e.missing else f"{e.value:,.0f}"


def _spent(r: Tiered) -> str:
    """Core-seconds a second, of replicas and client."""
    return f"{sum(r.spent.values()) * r.measured.value:.1f}" if r.spent else "n/a"


def rounds(outcomes: Sequence, told: Sequence[str]) -> Table:
    """A game day's rounds. outcomes: `gameday.score.Outcome`; told: what the tool said of each."""
    rows = [
        (
            f"{i}. {o.fault.accused}", o.fault.where,
            f"after {o.found:.0f} s" if o.found is not None else "not named",
            f"{o.false}", f"{o.points}", said,
        )
        for i, (o, said) in enumerate(zip(outcomes, told, strict=True), 1)
    ]  # fmt: skip
    heads = ("what was wrong", "where", "you", "false alarms", "points", "the tool, when it ended")
    return Table(heads, rows, f"{sum(o.points for o in outcomes)} points.")
