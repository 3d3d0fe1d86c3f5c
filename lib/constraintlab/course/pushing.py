"""Confirm a verdict by pushing: a little more demand on each resource, predicted and measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from constraintlab.attention.perturb import Push
from constraintlab.course.measure import interleave
from constraintlab.course.story import names
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.compose import throughput
from constraintlab.limits.diagnose import needs
from constraintlab.limits.drift import around
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource
from constraintlab.limits.stack import Stack
from constraintlab.limits.verdict import Verdict


@dataclass(frozen=True)
class Pushed:
    """One push: how much slower the model says a call gets, and how much slower it got (×)."""

    push: Push
    predicted: float
    measured: Estimate

    @property
    def agrees(self) -> bool:
        """Whether predicted and measured extra time differ by less than a quarter of a call."""
        return abs(self.predicted - self.measured.value) < 0.25


def push_each(
    call: Callable[[], object],
    stack: Stack,
    caps: Capacities,
    pushes: Sequence[Push],
    *,
    rounds: int = 5,
    device: str = "cpu",
    wait: Callable[[], object] = lambda: None,
) -> list[Pushed]:
    """Run `call` alone and with each push after it, interleaved, between two brief probes.

    A push that costs nothing reads ×1.
    """

    def both(push):
        return lambda: (call(), push.call())

    calls = {"alone": call} | {p.resource.value: both(p) for p in pushes}
    rates = [name for name, _ in needs(stack)]
    seen, caps = around(
        caps, rates, lambda _: interleave(calls, rounds=rounds, wait=wait, warm=False), device
    )
    now = throughput(stack, caps)
    found = []
    for p in pushes:
        pushed = replace(stack, kernels=stack.kernels + p.kernels, host=stack.host + p.host)
        slower = seen.gain("alone", over=p.resource.value)
        found.append(Pushed(p, now / throughput(pushed, caps), slower))
    return found


def most_sensitive(pushed: Sequence[Pushed]) -> tuple[Resource, ...]:
    """The resource whose push cost most, and any whose spread reaches as far."""
    top = max(pushed, key=lambda p: p.measured.value)
    return tuple(
        p.push.resource for p in pushed if p is top or p.measured.high >= top.measured.value
    )


def confirms(pushed: Sequence[Pushed], verdict: Verdict) -> bool:
    """Whether the push that cost most, within its spread, is on a resource the verdict names."""
    return not set(most_sensitive(pushed)).isdisjoint(verdict.constraint)


def told(pushed: Sequence[Pushed], verdict: Verdict) -> str:
    """Whether pushing bears the verdict out, in Markdown."""
    cost = " or ".join(r.label for r in most_sensitive(pushed))
    said = f"what cost most was more of {cost}, and the verdict names {names(verdict.constraint)}"
    if confirms(pushed, verdict):
        return f"**Confirmed:** {said}."
    return (
        f"**Not confirmed:** {said}. Either the model misses something, or neighbours took the "
        "cores now and then: push again before you believe either."
    )
