"""Capacities drift, on shared machines by a factor of two: probe again around a run.

A prediction made from yesterday's ceilings and held against today's measurement mixes two
machines. `around` measures the few capacities that a verdict needs just before and just
after the run, so that both sides saw the same neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from constraintlab.limits import cgroup
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.probes import compute, memory

BRIEF = 0.08
"""Seconds for one capacity."""

T = TypeVar("T")


def brief(name: str, device: str = "cpu") -> Estimate:
    """A quick measurement of one capacity by its dotted name, e.g. `compute.float32`."""
    if name == "compute.exp":
        return compute.exponentials(device, BRIEF)
    if name.startswith("compute."):
        largest = 1024 if device == "cpu" else None
        return compute.matrix_product(name.removeprefix("compute."), device, BRIEF, largest)
    if name == "bandwidth":
        return memory.bandwidth(cgroup.available_bytes(), device, BRIEF)
    if name == "pages":
        return memory.fresh_pages(cgroup.available_bytes(), 2 * BRIEF, size=64 * 1024**2)
    raise ValueError(f"{name!r} can't be re-probed: use compute.UNIT, bandwidth or pages")


def merged(first: Estimate, second: Estimate) -> Estimate:
    """Midway between two measurements, with the spread of both; the one that exists otherwise."""
    if first.missing or second.missing:
        return second if first.missing else first
    low, high = min(first.low, second.low), max(first.high, second.high)
    return Estimate((first.value + second.value) / 2, low, high, first.unit, first.source)


def refreshed(caps: Capacities, names: Iterable[str], device: str = "cpu") -> Capacities:
    """`caps` with `names` as they are now; what was missing stays missing."""
    known = dict(caps.rates())
    seen = {n: brief(n, device) for n in names if n in known and not known[n].missing}
    return _with(caps, seen)


def around(
    caps: Capacities,
    names: Iterable[str],
    run: Callable[[Capacities], T],
    device: str = "cpu",
) -> tuple[T, Capacities]:
    """(what `run` returns, `caps` with `names` as they were around that run).

    `run` is given the capacities measured just before it.
    """
    names = list(names)
    before = refreshed(caps, names, device)
    result = run(before)
    return result, midway(before, refreshed(before, names, device), names)


def midway(before: Capacities, after: Capacities, names: Iterable[str]) -> Capacities:
    """`before` with `names` midway between both, each with the spread of both."""
    first, second = dict(before.rates()), dict(after.rates())
    return _with(before, {n: merged(first[n], second[n]) for n in names if n in first})


def _with(caps: Capacities, seen: dict[str, Estimate]) -> Capacities:
    units = {n.removeprefix("compute."): e for n, e in seen.items() if n.startswith("compute.")}
    rest = {n: e for n, e in seen.items() if "." not in n}
    return replace(caps, compute={**caps.compute, **units}, **rest)
