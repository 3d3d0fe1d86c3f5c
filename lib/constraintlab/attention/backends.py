"""One rung, several backends: which one runs a problem here, and why the others don't."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

P = TypeVar("P")
"""What describes a problem: `Shape`, or its paged counterpart."""

AUTO, OWN = "auto", "own"


@dataclass(frozen=True)
class Backend(Generic[P]):
    """One way to run a rung.

    lacks: what a problem needs that this backend or machine has not, as a short reason;
    empty when it can run. own: written in this project, which `backend="own"` asks for.
    call: the rung's signature without `backend`.
    """

    name: str
    lacks: Callable[[P], str]
    call: Callable
    own: bool = False


@dataclass(frozen=True)
class Choice(Generic[P]):
    """The backend that runs, and for each of the others why it does not."""

    backend: Backend[P]
    others: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        passed = "; ".join(f"{name}: {why}" for name, why in self.others.items())
        return self.backend.name + (f" ({passed})" if passed else "")


def choose(backends: tuple[Backend[P], ...], problem: P, wanted: str = AUTO) -> Choice[P]:
    """The backend for `problem`: the first that can run it, or the one that is `wanted`.

    `wanted` is a backend's name, `auto`, or `own` for the first of this project's own that
    runs on the problem's device. Raises ValueError for a name that is unknown, and for a
    backend that lacks something, with what it lacks.
    """
    names = [b.name for b in backends]
    if wanted not in (AUTO, OWN, *names):
        raise ValueError(f"backend {wanted!r} is unknown: use {AUTO}, {OWN}, {', '.join(names)}")
    asked = [b for b in backends if wanted in (AUTO, b.name) or (wanted == OWN and b.own)]
    lacks = {b.name: b.lacks(problem) for b in backends}
    for chosen in asked:
        if not lacks[chosen.name]:
            others = {
                b.name: lacks[b.name] or f"runs too, {_place(names, b.name, chosen.name, wanted)}"
                for b in backends
                if b is not chosen
            }
            return Choice(chosen, others)
    why = "; ".join(f"{b.name}: {lacks[b.name]}" for b in asked)
    usable = [name for name in names if not lacks[name]]
    instead = f"use backend={' or '.join(map(repr, usable))}" if usable else "no other runs either"
    raise ValueError(f"backend {wanted!r} can't run this ({why}): {instead}")


def _place(names: list[str], name: str, chosen: str, wanted: str) -> str:
    """Why a backend that could run did not."""
    if wanted == AUTO and names.index(name) > names.index(chosen):
        return f"after {chosen} in order of preference"
    return f"not asked for: {wanted!r} was"
