"""The tables that labs 00 and 01 show, each from what was counted or measured."""

from __future__ import annotations

from collections.abc import Sequence

from constraintlab.course.memory import Ceiling
from constraintlab.course.pushing import Pushed
from constraintlab.course.rungs import Growth
from constraintlab.course.show import Table
from constraintlab.course.steps import Steps
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.compose import step_costs
from constraintlab.limits.stack import Stack
from constraintlab.limits.verdict import Verdict
from constraintlab.panel.numbers import si

_MEANING = {
    "compute.exp": "exponentials of a softmax, in cache",
    "bandwidth": "memory beyond the last-level cache, either way",
    "pages": "fresh memory: handed out, zeroed, taken back",
    "host_op": "host time to dispatch one small operation",
    "socket_writes": "small writes (256 B) to a socket",
    "loopback": "bytes through a loopback connection",
}


def ceilings(caps: Capacities) -> Table:
    """Every probed capacity with its spread, and where each matrix unit's ridge is."""
    rows = []
    for name, e in caps.rates():
        meaning = _MEANING.get(name) or f"matrix products in {name.removeprefix('compute.')}"
        if e.missing:
            rows.append((meaning, e.source, "", ""))
            continue
        ridge = ""
        if name.startswith("compute.") and name != "compute.exp" and not caps.bandwidth.missing:
            ridge = f"{caps.ridge(name.removeprefix('compute.')):.2g}"
        low, high = si(e.low, e.unit), si(e.high, e.unit)
        rows.append((meaning, si(e.value, e.unit), f"{low} … {high}", ridge))
    machine = ", ".join(f"{k} {v}" for k, v in caps.machine.items())
    return Table(
        ("capacity", "measured", "spread", "ridge, FLOP/B"), rows, f"{machine}; probed {caps.date}"
    )


def demands(stack: Stack, caps: Capacities) -> Table:
    """Each kernel's counted work beside the seconds its binding side takes."""
    n = stack.resident
    costs = step_costs(stack, caps)
    rows = []
    for k in stack.kernels:
        work = k.work(n)
        mine = [c for c in costs if c.part == k.name]
        side = " + ".join(c.resource.label for c in mine)
        seconds = sum(c.at(n) for c in mine)
        flops = si(work.flops, "exp" if k.unit == "exp" else "FLOP")
        rows.append(
            (k.name, flops, si(work.bytes, "B"), f"{work.intensity:.2g}", side, si(seconds, "s"))
        )
    return Table(("operation", "work", "traffic", "per byte", "binds", "predicted"), rows)


def growth(grown: Sequence[Growth]) -> Table:
    """Naive attention by prompt length: counted beside seen."""
    rows = [
        (
            f"S = {g.tokens}", si(g.traffic, "B"), si(g.peak_counted, "B"), si(g.peak, "B"),
            si(g.fresh_counted, "B"), "n/a" if g.fresh is None else si(g.fresh, "B"),
            si(g.seconds, "s"),
        )
        for g in grown
    ]  # fmt: skip
    heads = (
        "prompt", "traffic, counted", "peak memory, counted", "seen",
        "fresh memory, counted", "seen", "one call",
    )  # fmt: skip
    return Table(heads, rows, "Blocks under 32 MiB keep their pages, so short prompts fault less.")


def steps(table: Sequence[Steps]) -> Table:
    """Milliseconds of one call by what they went into, textbook and with a workspace."""
    rows = [
        (
            str(s.shape), *(f"{1e3 * t:.1f}" for t in
            (s.products, s.passes, s.rest, s.workspace, s.pages, s.textbook)),
        )
        for s in table
    ]  # fmt: skip
    heads = ("ms", "products", "passes", "between", "= workspace", "+ fresh pages", "= textbook")
    return Table(heads, rows)


def pushed(table: Sequence[Pushed], verdict: Verdict) -> Table:
    """Each push: how much slower the model said, and how much slower it was."""
    rows = [
        (
            f"{p.push.resource.label}: {p.push.what}",
            f"×{p.predicted:.2f}",
            f"×{p.measured.value:.2f}",
            f"{p.measured.low:.2f} … {p.measured.high:.2f}",
            "◀ verdict" if p.push.resource in verdict.constraint else "",
        )
        for p in table
    ]
    return Table(("slower by", "predicted", "measured", "quartiles", ""), rows)


def memory_ceiling(limit: int, longest: int, tried: Ceiling) -> Table:
    """Which prompts ran under the limit, beside the prediction."""
    if tried.why:
        return Table(("prompt", "result"), [(f"predicted: up to {longest}", f"n/a: {tried.why}")])
    rows = [
        (f"S = {s}", f"{s / longest:.2f} × predicted", "ran" if s in tried.ran else "out of memory")
        for s in sorted((*tried.ran, *tried.failed))
    ]
    note = f"Predicted: the longest prompt that fits in {si(limit, 'B')} is {longest} tokens."
    return Table(("prompt", "against the prediction", "result"), rows, note)
